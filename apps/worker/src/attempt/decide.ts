import type { RetryPolicy } from '@nightshift/shared/config';
import { backoffMs } from './backoff.ts';
import { decideRefusal } from './decide-refusal.ts';
import {
  behind,
  rejected,
  sentence,
  toHead,
  type AttemptFacts,
  type NextStep,
} from './next-step.ts';
import type { Outcome } from './outcome.ts';

/** A trial charges its job at most this often: an outage of an hour costs a job at most six of its eight attempts. */
export const TRIAL_CHARGE_EVERY_MS = 600_000;
/** A request that was charged this often in runs that ended in a success is known to fail. */
const KNOWN_AFTER = 2;
const LATELY_MS = 300_000;
/** A job with this few attempts may fail before its lane's breaker opens: its caller asked for an early end. */
const FEW_ATTEMPTS = 3;

/**
 * True when a failure says nothing about the lane: the request failed before while others succeeded. Without this, one request
 * that crashes its engine would open the breaker once it is the lane's last job.
 */
export function isKnownToFail(
  { wasSent }: { wasSent: boolean },
  { charged, sentAtMs, standing, lane }: AttemptFacts,
): boolean {
  const before = charged - 1 - standing.chargedInRun;
  return (
    wasSent &&
    before >= KNOWN_AFTER &&
    standing.trialChargedAtMs === 0 &&
    lane.succeededAtMs > sentAtMs - LATELY_MS
  );
}

/** Outcome + facts + policy → the next step. Pure. */
export function decide(
  outcome: Outcome,
  facts: AttemptFacts,
  policy: Pick<RetryPolicy, 'baseMs' | 'capMs'>,
): NextStep {
  switch (outcome.kind) {
    case 'succeeded':
      return {
        kind: 'settle',
        settlement: {
          status: 'completed',
          response: outcome.response,
          error: null,
          usage: outcome.usage,
        },
      };
    case 'rejected':
      return rejected(outcome);
    case 'rate_limited':
    case 'lane_refused':
      return decideRefusal(outcome, facts);
    case 'retryable':
      return decideRetry(outcome, facts, policy);
    case 'aborted':
      return outcome.reason === 'withdrawn'
        ? { kind: 'drop' }
        : { kind: 'release', release: toHead(null, '', outcome.reason), lane: null };
  }
}

type Retryable = Extract<Outcome, { kind: 'retryable' }>;

function decideRetry(
  outcome: Retryable,
  facts: AttemptFacts,
  policy: Pick<RetryPolicy, 'baseMs' | 'capMs'>,
): NextStep {
  if (facts.lane.isUnreachable) return decideInOutage(outcome, facts);
  const { charged, maxAttempts, elapsedMs, random, standing, lane } = facts;
  const isUsedUp = charged >= maxAttempts;
  if (isUsedUp && mayFail(outcome, facts)) return usedUp(outcome, facts);
  const delayMs = backoffMs({
    attempt: Math.min(charged, maxAttempts),
    maxAttempts,
    elapsedMs,
    retryAfterMs: outcome.retryAfterMs,
    random,
    policy,
  });
  const isSameRun = lane.run !== 0 && lane.run === standing.run;
  return {
    kind: 'release',
    release: {
      reason: 'backoff',
      message: sentence(`attempt ${charged} of ${maxAttempts} failed: ${outcome.message}`),
      delayMs,
      charged: !isUsedUp,
      ...(!isUsedUp && {
        standing: {
          ...standing,
          run: lane.run,
          chargedInRun: lane.run === 0 ? 0 : isSameRun ? standing.chargedInRun + 1 : 1,
        },
      }),
      detail: outcome.code,
    },
    lane: null,
  };
}

/** Whether the last attempt may fail the job: the lane answers other jobs, or the job has too few attempts to find out. */
function mayFail(outcome: Retryable, facts: AttemptFacts): boolean {
  const { maxAttempts, sentAtMs, lane } = facts;
  return (
    isKnownToFail(outcome, facts) ||
    (outcome.wasSent && maxAttempts <= FEW_ATTEMPTS) ||
    lane.succeededAtMs > sentAtMs
  );
}

/** The breaker is open: the job is requeued behind the others, so that the next trial takes a different one. */
function decideInOutage(outcome: Retryable, facts: AttemptFacts): NextStep {
  const { charged, maxAttempts, sentAtMs, isProbe, standing, random } = facts;
  const isCharged =
    isProbe && outcome.wasSent && sentAtMs - standing.trialChargedAtMs >= TRIAL_CHARGE_EVERY_MS;
  if (isCharged && charged >= maxAttempts) return usedUp(outcome, facts);
  return {
    kind: 'release',
    release: {
      ...behind('provider_unreachable', outcome.message, outcome.code, random),
      charged: isCharged,
      ...(isCharged && { standing: { ...standing, trialChargedAtMs: sentAtMs } }),
    },
    lane: null,
  };
}

function usedUp(outcome: Retryable, { charged, maxAttempts }: AttemptFacts): NextStep {
  const attempts = maxAttempts === 1 ? 'the only attempt' : `attempt ${charged} of ${maxAttempts}`;
  return {
    kind: 'settle',
    settlement: {
      status: 'failed',
      response: outcome.response,
      error: { code: outcome.code, message: sentence(`${attempts} failed: ${outcome.message}`) },
      usage: null,
    },
  };
}
