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
  /** The single call that tried a lane which the provider had closed or did not answer for. */
  isProbe: boolean;
  standing: Standing;
  lane: LaneFacts;
}

/** What is known of the lane when a call has come back. Instants are unix milliseconds on Redis' clock, 0 for never. */
export interface LaneFacts {
  /** The run of failures that this failure belongs to; 0 for none. */
  run: number;
  /** The breaker is open. */
  isUnreachable: boolean;
  /** When a success came back last, and the latest sending of one. */
  succeededAtMs: number;
  succeededSentAtMs: number;
  /** The same over all lanes of the credential, as far as this process has seen. */
  credentialSucceededAtMs: number;
  credentialSucceededSentAtMs: number;
  /** The part of the lane's calls that is answered 429, without jobs that were refused before. From 0 to 1. */
  refusedShare: number;
  /** The one job whose refusal paused the lane; `*` for several, null for none. */
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

/** Back to the head of its queue, and no attempt used up. */
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

/** It must be back in its queue before the next trial, which may have no other job. */
const BEHIND_MS = { least: 300, spread: 400 };

/** Behind the jobs that wait in its queue, and no attempt used up. */
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
