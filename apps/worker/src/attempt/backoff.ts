import type { RetryPolicy } from '@nightshift/shared/config';

/** With the default of 8 attempts the last comes at least this long after the first: a short outage fails no job. */
const SPREAD_MS = 120_000;
const SPREAD_ATTEMPTS = 8;

export interface BackoffInput {
  /** The number of the attempt that failed, from 1. */
  attempt: number;
  maxAttempts: number;
  /** Since the first attempt began. */
  elapsedMs: number;
  /** What the provider asked for, if it did. */
  retryAfterMs: number | null;
  /** From 0 up to 1. */
  random: number;
  policy: Pick<RetryPolicy, 'baseMs' | 'capMs'>;
}

/**
 * Exponential backoff with full jitter: anything from 0 to `base × 2^(attempt - 1)`, at most `cap`, and never less
 * than the provider asks for (plus up to a tenth, so that those told the same do not come back together). Full jitter
 * can draw short many times in a row; so the last attempt waits until the attempts span as long as a job with so
 * many is meant to last: 120 s for 8, halved for each one fewer.
 */
export function backoffMs({
  attempt,
  maxAttempts,
  elapsedMs,
  retryAfterMs,
  random,
  policy,
}: BackoffInput): number {
  const jittered = random * Math.min(policy.capMs, policy.baseMs * 2 ** Math.min(attempt - 1, 30));
  const asked = retryAfterMs === null ? 0 : retryAfterMs * (1 + 0.1 * random);
  const isLastNext = attempt === maxAttempts - 1;
  const spread = isLastNext ? spreadMs(maxAttempts) - elapsedMs : 0;
  return Math.max(jittered, asked, spread, 0);
}

/** How long `maxAttempts` attempts last at least. */
export function spreadMs(maxAttempts: number): number {
  const share = (2 ** (maxAttempts - 1) - 1) / (2 ** (SPREAD_ATTEMPTS - 1) - 1);
  return Math.min(SPREAD_MS, SPREAD_MS * share);
}
