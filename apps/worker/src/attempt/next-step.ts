import type { Standing } from '@nightshift/shared/job';
import type { LanePauseReason } from '@nightshift/shared/lane';
import type { Release, Settlement } from '@nightshift/shared/redis';
import type { Outcome } from './outcome.ts';

/** What the decision needs to know of the attempt. */
export interface AttemptFacts {
  jobId: string;
  /** How many attempts have been used up, this one included; those cut short by a worker's death are not. */
  charged: number;
  maxAttempts: number;
  /** Since the first attempt began. */
  elapsedMs: number;
  /** From 0 up to 1. */
  random: number;
  /** When the call was sent, unix ms on Redis' clock. */
  sentAtMs: number;
  /** This was the single call that tries a paused or unreachable lane. */
  isProbe: boolean;
  standing: Standing;
  lane: LaneFacts;
}

/** What is known about the lane when a call has come back. Times are unix milliseconds on Redis' clock, 0 for never. */
export interface LaneFacts {
  /** The run of failures that this failure belongs to; 0 for none. */
  run: number;
  /** The breaker is open. */
  isUnreachable: boolean;
  /** When the last success came back, and the latest time at which a successful call was sent. */
  succeededAtMs: number;
  succeededSentAtMs: number;
  /** The same over all lanes of the credential, as far as this process knows. */
  credentialSucceededAtMs: number;
  credentialSucceededSentAtMs: number;
  /** Share of the lane's calls that get a 429, not counting jobs that were refused before. From 0 to 1. */
  refusedShare: number;
  /** The only job whose refusal paused the lane; `*` for several, null for none. */
  refusedJob: string | null;
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

export function rejected({
  response,
  message,
}: Pick<Extract<Outcome, { kind: 'rejected' }>, 'response' | 'message'>): NextStep {
  return {
    kind: 'settle',
    settlement: {
      status: 'failed',
      response,
      error: { code: 'provider_rejected', message: sentence(message) },
      usage: null,
    },
  };
}

/** Returns the job to the head of its queue, uncharged. */
export function toHead(reason: Release['reason'], message: string, detail: string): Release {
  return {
    ...{
      reason,
      message: sentence(message),
      delayMs: null,
      charged: false,
      detail,
    },
  };
}

/** Short enough that the job is queued again before the next trial, which may have no other job to take. */
const BEHIND_MS = { least: 300, spread: 400 };

/** Requeues the job behind those that wait in its queue, uncharged. */
export function behind(
  reason: Release['reason'],
  message: string,
  detail: string,
  random: number,
): Release {
  return {
    ...toHead(reason, message, detail),
    delayMs: BEHIND_MS.least + BEHIND_MS.spread * random,
  };
}

export function sentence(message: string): string {
  if (message === '') return '';
  const capital = message.charAt(0).toUpperCase() + message.slice(1);
  return /[.!?…]$/.test(capital) ? capital : `${capital}.`;
}
