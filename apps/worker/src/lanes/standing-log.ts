import type { Lane, LaneState } from '@nightshift/shared/lane';
import type { LaneStore } from '@nightshift/shared/redis';
import type { Logger } from '@nightshift/shared/telemetry';
import { laneWait, type Wait } from '@nightshift/shared/waiting';

export interface StandingLog {
  /** Logs when a lane becomes held up, and when that ends. Never rejects. */
  see(lane: Lane, state: LaneState): Promise<void>;
}

/** Cool-downs of a few seconds are routine. Only longer ones are logged. */
const SHORT_COOLING_MS = 30_000;

/**
 * Logs one line for the whole fleet: each worker sees the change, and the first to record it in Redis logs it. A worker that sees
 * the change late may log it again.
 */
export function createStandingLog(
  lanes: Pick<LaneStore, 'swapLogged'>,
  logger: Logger,
): StandingLog {
  /** Lane id → the last reason seen by this process; null while the lane was not held up. */
  const seen = new Map<string, string | null>();
  return {
    see: async (lane, state) => {
      const before = seen.get(lane.id);
      const wait = laneWait(lane, state, { quotes: false });
      const told = isWorthLogging(wait, state.nowMs, before ?? null) ? wait : null;
      const reason = told?.reason ?? null;
      if (before === reason) return;
      seen.set(lane.id, reason);
      // When Redis does not answer, a duplicate line is better than none.
      const logged = await lanes.swapLogged(lane.id, reason).catch(() => before ?? null);
      if (logged === reason) return;
      const about = { laneId: lane.id, provider: lane.provider, model: lane.model };
      if (told === null) logger.warn({ ...about, reason: logged }, 'lane.resumed');
      else logger.warn({ ...about, reason, message: told.message }, 'lane.held_up');
    },
  };
}

/** Once a long cool-down is logged, it stays logged until it ends. */
function isWorthLogging(wait: Wait | null, nowMs: number, before: string | null): boolean {
  if (wait?.reason !== 'rate_limit') return wait !== null;
  return before === 'rate_limit' || (wait.untilMs ?? nowMs) - nowMs >= SHORT_COOLING_MS;
}
