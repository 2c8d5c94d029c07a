import type { Clock } from '@nightshift/shared/clock';
import type { Lane, LaneBudget, LaneSnapshot } from '@nightshift/shared/lane';
import type { LaneStore } from '@nightshift/shared/redis';

/** A page of a hundred jobs, or a hundred polls a second, ask for the same few lanes. */
const FRESH_MS = 250;
const MOST_KEPT = 5000;

export interface LaneStates {
  /** A lane's state, at most 250 ms old, with `nowMs` brought forward to now on Redis' clock. */
  get(laneId: string): Promise<Known>;
  forget(laneId: string): void;
}

interface Known {
  /** Null for a lane that is not registered. */
  lane: Lane | null;
  state: LaneSnapshot;
  budget: LaneBudget | null;
}

export function createLaneStates(lanes: LaneStore, clock: Clock): LaneStates {
  /** A lane's descriptor never changes. */
  const lanesKnown = new Map<string, Lane>();
  const find = async (laneId: string): Promise<Lane | null> => {
    const lane = lanesKnown.get(laneId) ?? (await lanes.find(laneId));
    if (lanesKnown.size >= MOST_KEPT) lanesKnown.clear();
    if (lane !== null) lanesKnown.set(laneId, lane);
    return lane;
  };
  const read = async (laneId: string): Promise<Known> => {
    const [lane, state, budget] = await Promise.all([
      find(laneId),
      lanes.state(laneId),
      lanes.budget(laneId),
    ]);
    return { lane, state, budget };
  };
  const known = new Map<string, { readAtMs: number; read: Promise<Known> }>();
  return {
    get: async (laneId) => {
      const nowMs = clock.monotonic();
      let entry = known.get(laneId);
      if (entry === undefined || nowMs - entry.readAtMs > FRESH_MS) {
        if (known.size >= MOST_KEPT) known.clear();
        entry = { readAtMs: nowMs, read: read(laneId) };
        known.set(laneId, entry);
        // A failure belongs to those who ask now, not to the next ones.
        entry.read.catch(() => known.delete(laneId));
      }
      const { lane, state, budget } = await entry.read;
      const ageMs = Math.round(clock.monotonic() - entry.readAtMs);
      return {
        lane,
        state: ageMs === 0 ? state : { ...state, nowMs: state.nowMs + ageMs },
        budget,
      };
    },
    forget: (laneId) => {
      known.delete(laneId);
    },
  };
}
