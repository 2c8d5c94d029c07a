import type { Lane, LaneState } from '@nightshift/shared/lane';
import type { LaneStore } from '@nightshift/shared/redis';
import type { Logger } from '@nightshift/shared/telemetry';
import { laneWait, type Wait } from '@nightshift/shared/waiting';

export interface StandingLog {
  /** Takes note of how a lane stands; logs when it begins to stand still, and when that ends. Never rejects. */
  see(lane: Lane, state: LaneState): Promise<void>;
}

/** A provider's rate limit stops a lane for seconds all the time. Longer than this is worth a line. */
const SHORT_COOLING_MS = 30_000;

/**
 * One line for the whole fleet: each worker sees the change, and the first to put it on record in Redis logs it. A worker that
 * is a change behind the others may log it again.
 */
export function createStandingLog(
  lanes: Pick<LaneStore, 'swapLogged'>,
  logger: Logger,
): StandingLog {
  /** Lane id → the reason that this process saw last; null while it was called. */
  const seen = new Map<string, string | null>();
  return {
    see: async (lane, state) => {
      const before = seen.get(lane.id);
      const wait = laneWait(lane, state, { quotes: false });
      const told = isWorthLogging(wait, state.nowMs, before ?? null) ? wait : null;
      const reason = told?.reason ?? null;
      if (before === reason) return;
      seen.set(lane.id, reason);
      // To say it twice, when Redis does not answer, is better than not at all.
      const logged = await lanes.swapLogged(lane.id, reason).catch(() => before ?? null);
      if (logged === reason) return;
      const about = { laneId: lane.id, provider: lane.provider, model: lane.model };
      if (told === null) logger.warn({ ...about, reason: logged }, 'lane.resumed');
      else logger.warn({ ...about, reason, message: told.message }, 'lane.held_up');
    },
  };
}

/** A long cool-down that was logged lasts to its end. */
function isWorthLogging(wait: Wait | null, nowMs: number, before: string | null): boolean {
  if (wait?.reason !== 'rate_limit') return wait !== null;
  return before === 'rate_limit' || (wait.untilMs ?? nowMs) - nowMs >= SHORT_COOLING_MS;
}
