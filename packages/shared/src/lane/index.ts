export {
  laneBudgetSchema,
  budgetWait,
  limitsOf,
  mayLimitTokens,
  remainingOf,
  type LaneBudget,
  type LaneLimits,
  type LimitSource,
} from './budget.ts';
export {
  addAnswer,
  emptyLengths,
  expectedLength,
  parseHistory,
  STRETCH_MS,
  type AnswerLengths,
  type LaneHistory,
} from './history.ts';
export {
  laneIdPattern,
  laneOf,
  lanePauseReasons,
  laneStanding,
  type Lane,
  type LaneHealth,
  type LanePauseReason,
  type LaneSnapshot,
  type LaneStanding,
  type LaneState,
} from './lane.ts';
