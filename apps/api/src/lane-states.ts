import type { Clock } from '@nightshift/shared/clock';
import type { LaneBudget, LaneState } from '@nightshift/shared/lane';
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
  state: LaneState;
  budget: LaneBudget | null;
}

export function createLaneStates(lanes: LaneStore, clock: Clock): LaneStates {
  const known = new Map<string, { readAtMs: number; read: Promise<Known> }>();
  return {
    get: async (laneId) => {
      const nowMs = clock.monotonic();
      let entry = known.get(laneId);
      if (entry === undefined || nowMs - entry.readAtMs > FRESH_MS) {
        if (known.size >= MOST_KEPT) known.clear();
        entry = { readAtMs: nowMs, read: read(lanes, laneId) };
        known.set(laneId, entry);
        // A failure belongs to those who ask now, not to the next ones.
        entry.read.catch(() => known.delete(laneId));
      }
      const { state, budget } = await entry.read;
      const ageMs = Math.round(clock.monotonic() - entry.readAtMs);
      return { state: ageMs === 0 ? state : { ...state, nowMs: state.nowMs + ageMs }, budget };
    },
    forget: (laneId) => {
      known.delete(laneId);
    },
  };
}

async function read(lanes: LaneStore, laneId: string): Promise<Known> {
  const [state, budget] = await Promise.all([lanes.state(laneId), lanes.budget(laneId)]);
  return { state, budget };
}
