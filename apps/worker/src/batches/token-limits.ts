import type { Clock } from '@nightshift/shared/clock';
import { mayLimitTokens } from '@nightshift/shared/lane';
import type { LaneStore } from '@nightshift/shared/redis';

/** As old as what the API knows of a lane may be. */
const FRESH_MS = 250;

/** Whether the tokens of a lane's requests are worth counting: it costs more than all else of feeding a line. */
export function createTokenLimits(
  lanes: Pick<LaneStore, 'budget'>,
  clock: Pick<Clock, 'monotonic'>,
): (laneId: string) => Promise<boolean> {
  const known = new Map<string, { readAtMs: number; isCounted: Promise<boolean> }>();
  return async (laneId) => {
    const nowMs = clock.monotonic();
    let entry = known.get(laneId);
    if (entry === undefined || nowMs - entry.readAtMs > FRESH_MS) {
      const isCounted = lanes.budget(laneId).then(mayLimitTokens);
      entry = { readAtMs: nowMs, isCounted };
      known.set(laneId, entry);
      isCounted.catch(() => known.delete(laneId));
    }
    return entry.isCounted;
  };
}
