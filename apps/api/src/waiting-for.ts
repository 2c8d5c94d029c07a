import type { WaitingFor } from '@nightshift/shared/http';
import type { Job } from '@nightshift/shared/job';
import {
  budgetWait,
  laneStanding,
  limitsOf,
  type LaneBudget,
  type LaneState,
} from '@nightshift/shared/lane';

/**
 * Why a queued job is not being worked on, or null when it only waits for its turn. Its own reasons come first:
 * a job that is not due yet is not held up by its lane.
 */
export function waitingFor(
  job: Job,
  lane: LaneState,
  budget: LaneBudget | null = null,
  isRedisFull = false,
): WaitingFor | null {
  if (job.status !== 'queued') return null;
  const { nowMs } = lane;
  if (job.runAtMs !== null && job.runAtMs > nowMs) {
    return {
      reason: 'run_at',
      message: 'Waits for the time in run_at.',
      until: unixSeconds(job.runAtMs),
    };
  }
  if (job.retryAtMs !== null && job.retryAtMs > nowMs) {
    const reason = job.waitReason ?? 'backoff';
    return {
      reason,
      message: job.waitMessage ?? 'Waits for its next attempt.',
      until: unixSeconds(job.retryAtMs),
    };
  }
  const standing = laneStanding(lane);
  switch (standing.state) {
    case 'open':
      return waitForBudget(job, budget, nowMs) ?? (isRedisFull ? redisFull : null);
    case 'cooling':
      return {
        reason: 'rate_limit',
        message: `The provider's rate limit for ${job.model} is reached.`,
        until: unixSeconds(standing.untilMs),
      };
    case 'paused':
      return {
        reason: 'lane_paused',
        message: `Lane ${job.laneId} is paused: ${standing.message}`,
        until: standing.untilMs === null ? null : unixSeconds(standing.untilMs),
      };
    case 'unreachable':
      return {
        reason: 'provider_unreachable',
        message: `The provider of ${job.model} does not answer: ${standing.message}`,
        until: unixSeconds(standing.untilMs),
      };
  }
}

const redisFull: WaitingFor = {
  reason: 'redis_full',
  message:
    'Redis is at its maxmemory: accepted work goes on slowly and nothing new is accepted. Raise maxmemory, or delete settled jobs (DELETE /v1/jobs/ID).',
  until: null,
};

/** The lane may be called, and its limit is in use by those before this job. */
function waitForBudget(job: Job, budget: LaneBudget | null, nowMs: number): WaitingFor | null {
  const untilMs = budgetWait(budget, job.priority, nowMs);
  if (untilMs === null) return null;
  const { requestsPerMinute, tokensPerMinute, source } = limitsOf(budget);
  const limits = [
    ...(requestsPerMinute === null ? [] : [`${Math.round(requestsPerMinute)} requests`]),
    ...(tokensPerMinute === null ? [] : [`${Math.round(tokensPerMinute)} tokens`]),
  ];
  const from = { headers: 'by the provider', config: 'by the configuration', learned: 'as learnt' };
  return {
    reason: 'rate_limit',
    message: `The limit for ${job.model} is in use: ${limits.join(' and ')} per minute${source === 'none' ? '' : ` ${from[source]}`}.`,
    until: unixSeconds(untilMs),
  };
}

/** Rounded up: a caller who comes back then must not be too early. */
function unixSeconds(ms: number): number {
  return Math.ceil(ms / 1000);
}
