export {
  laneIdPattern,
  laneOf,
  lanePauseReasons,
  laneStanding,
  type Lane,
  type LanePauseReason,
  type LaneStanding,
  type LaneState,
} from './lane.ts';
