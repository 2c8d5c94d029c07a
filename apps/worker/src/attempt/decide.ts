import type { RetryPolicy } from '@nightshift/shared/config';
import type { LanePauseReason } from '@nightshift/shared/lane';
import type { Release, Settlement } from '@nightshift/shared/redis';
import { backoffMs } from './backoff.ts';
import type { Outcome } from './outcome.ts';

/** What the decision needs to know of the attempt. */
export interface AttemptFacts {
  /** How many attempts have been used up, this one included; those cut short by a worker's death are not. */
  charged: number;
  maxAttempts: number;
  /** Since the first attempt began. */
  elapsedMs: number;
  /** From 0 up to 1. */
  random: number;
}

/** What to do about an outcome. */
export type NextStep =
  | { kind: 'settle'; settlement: Omit<Settlement, 'costUsd'> }
  /** Give the job back; the lane hears of it first. */
  | { kind: 'release'; release: Release; lane: LaneNews | null }
  /** The record is not ours any more. */
  | { kind: 'drop' };

export type LaneNews =
  | { kind: 'cool'; retryAfterMs: number | null }
  | { kind: 'pause'; reason: LanePauseReason; message: string };

/** Outcome + attempt number + policy → the next step. Touches nothing. */
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
      return {
        kind: 'settle',
        settlement: {
          status: 'failed',
          response: outcome.response,
          error: { code: 'provider_rejected', message: sentence(outcome.message) },
          usage: null,
        },
      };
    case 'rate_limited':
      return {
        kind: 'release',
        release: toHead('rate_limit', outcome.message, 'rate_limited'),
        lane: { kind: 'cool', retryAfterMs: outcome.retryAfterMs },
      };
    case 'lane_refused':
      return {
        kind: 'release',
        release: toHead('lane_paused', outcome.message, outcome.reason),
        lane: { kind: 'pause', reason: outcome.reason, message: sentence(outcome.message) },
      };
    case 'retryable':
      return decideRetry(outcome, facts, policy);
    case 'aborted':
      return outcome.reason === 'withdrawn'
        ? { kind: 'drop' }
        : { kind: 'release', release: toHead(null, '', 'handed_off'), lane: null };
  }
}

function decideRetry(
  outcome: Extract<Outcome, { kind: 'retryable' }>,
  { charged, maxAttempts, elapsedMs, random }: AttemptFacts,
  policy: Pick<RetryPolicy, 'baseMs' | 'capMs'>,
): NextStep {
  if (charged >= maxAttempts) {
    const attempts =
      maxAttempts === 1 ? 'the only attempt' : `attempt ${charged} of ${maxAttempts}`;
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
  const { retryAfterMs } = outcome;
  const delayMs = backoffMs({
    attempt: charged,
    maxAttempts,
    elapsedMs,
    retryAfterMs,
    random,
    policy,
  });
  const message = sentence(`attempt ${charged} of ${maxAttempts} failed: ${outcome.message}`);
  return {
    kind: 'release',
    release: { reason: 'backoff', message, delayMs, charged: true, detail: outcome.code },
    lane: null,
  };
}

/** Back to the head of its queue, and no attempt used up. */
function toHead(reason: Release['reason'], message: string, detail: string): Release {
  return { reason, message: sentence(message), delayMs: null, charged: false, detail };
}

function sentence(message: string): string {
  if (message === '') return '';
  const capital = message.charAt(0).toUpperCase() + message.slice(1);
  return /[.!?…]$/.test(capital) ? capital : `${capital}.`;
}
