import type { Fleet } from '../fleet/index.ts';
import type { Job } from '../job/index.ts';
import type { Lane, LaneBudget, LaneState } from '../lane/index.ts';
import { noSlotWait, noWorkerWait } from './fleet-wait.ts';
import { laneWait, limitWait, type LaneWords } from './lane-wait.ts';
import { instant, maskKeys, type Wait } from './words.ts';

export interface JobFacts {
  lane: Lane;
  state: LaneState;
  budget: LaneBudget | null;
  fleet: Fleet;
  isRedisFull: boolean;
  words: LaneWords;
}

/** A job that only waits its turn usually starts within this time. */
const TURN_MS = 5000;

/**
 * Why a queued job does not run; null if it only waits its turn. The job's own reasons come first: a job that is not due yet is
 * not held up by its lane.
 */
export function jobWait(job: Job, facts: JobFacts): Wait | null {
  if (job.status !== 'queued') return null;
  const { lane, state, budget, fleet, words } = facts;
  const { nowMs } = state;
  if (job.runAtMs !== null && job.runAtMs > nowMs) return runAtWait(job.runAtMs, nowMs);
  if (job.retryAtMs !== null && job.retryAtMs > nowMs) {
    return {
      reason: job.waitReason ?? 'backoff',
      message: maskKeys(job.waitMessage ?? 'Waits for its next attempt.'),
      untilMs: job.retryAtMs,
    };
  }
  const held =
    noWorkerWait(fleet) ??
    laneWait(lane, state, words) ??
    limitWait(lane, budget, job.priority, nowMs);
  if (held !== null || nowMs - job.createdAtMs < TURN_MS) return held;
  return facts.isRedisFull ? redisFullWait() : noSlotWait(fleet, job.priority);
}

export function runAtWait(runAtMs: number, nowMs: number): Wait {
  return {
    reason: 'run_at',
    message: `Starts at ${instant(runAtMs, nowMs)}, the time in run_at.`,
    untilMs: runAtMs,
  };
}

export function redisFullWait(): Wait {
  return {
    reason: 'redis_full',
    message:
      'Redis has reached its maxmemory. Raise it with CONFIG SET maxmemory, or wait: work continues as settled jobs free their memory.',
    untilMs: null,
  };
}
