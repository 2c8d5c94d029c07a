import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';

export interface EventuallyOptions {
  /** How long the fact may take to become true, in milliseconds. Default 10,000. */
  timeoutMs?: number;
  /** Pause between two looks, in milliseconds. Default 20. */
  intervalMs?: number;
  /** What is waited for, for the error: "the job is settled". */
  describe?: string;
}

/** What `eventually` hands back: the looked-for value without its "not yet" forms. */
export type Truthy<T> = Exclude<T, false | null | undefined | 0 | ''>;

/**
 * Polls a fact until it is true and returns the truthy value. A throwing `fn` counts as "not yet".
 * Rejects after `timeoutMs` with what was waited for, the last value and the last error.
 */
export async function eventually<T>(
  fn: () => T | Promise<T>,
  options: EventuallyOptions = {},
): Promise<Truthy<T>> {
  const { timeoutMs = 10_000, intervalMs = 20, describe = 'the fact' } = options;
  const deadline = performance.now() + timeoutMs;
  let last = 'it was never seen, the first look did not return';
  let cause: unknown;
  for (;;) {
    const left = deadline - performance.now();
    try {
      const value = await within(fn, Math.max(left, 1));
      if (value === tooLate) break;
      if (value) return value as Truthy<T>;
      last = `last value: ${inspect(value, { depth: 3, breakLength: 120 })}`;
      cause = undefined;
    } catch (error) {
      last = `last error: ${error instanceof Error ? error.message : inspect(error)}`;
      cause = error;
    }
    if (performance.now() + intervalMs >= deadline) break;
    await sleep(intervalMs);
  }
  throw new Error(`waited ${timeoutMs} ms for ${describe}; ${last}`, { cause });
}

const tooLate = Symbol('the look outlived the deadline');

/** A look that hangs must not outlive the deadline: the caller wants to know what hung. */
async function within<T>(fn: () => T | Promise<T>, leftMs: number): Promise<T | typeof tooLate> {
  const stop = new AbortController();
  try {
    return await Promise.race([
      (async () => await fn())(),
      sleep(leftMs, tooLate, { signal: stop.signal }),
    ]);
  } finally {
    stop.abort();
  }
}
