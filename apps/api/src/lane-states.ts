import type { Clock } from '@nightshift/shared/clock';
import type { LaneState } from '@nightshift/shared/lane';
import type { LaneStore } from '@nightshift/shared/redis';

/** A page of a hundred jobs, or a hundred polls a second, ask for the same few lanes. */
const FRESH_MS = 250;
const MOST_KEPT = 5000;

export interface LaneStates {
  /** A lane's state, at most 250 ms old, with `nowMs` brought forward to now on Redis' clock. */
  get(laneId: string): Promise<LaneState>;
  forget(laneId: string): void;
}

export function createLaneStates(lanes: LaneStore, clock: Clock): LaneStates {
  const known = new Map<string, { readAtMs: number; state: Promise<LaneState> }>();
  return {
    get: async (laneId) => {
      const nowMs = clock.monotonic();
      let entry = known.get(laneId);
      if (entry === undefined || nowMs - entry.readAtMs > FRESH_MS) {
        if (known.size >= MOST_KEPT) known.clear();
        entry = { readAtMs: nowMs, state: lanes.state(laneId) };
        known.set(laneId, entry);
        // A failure belongs to those who ask now, not to the next ones.
        entry.state.catch(() => known.delete(laneId));
      }
      const state = await entry.state;
      const ageMs = Math.round(clock.monotonic() - entry.readAtMs);
      return ageMs === 0 ? state : { ...state, nowMs: state.nowMs + ageMs };
    },
    forget: (laneId) => {
      known.delete(laneId);
    },
  };
}
