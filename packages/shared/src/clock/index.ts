import { setTimeout as delay } from 'node:timers/promises';

/** Where a process takes the time from; a test passes its own. */
export interface Clock {
  /** Unix time in milliseconds, of this host. Records use Redis' clock instead. */
  now(): number;
  /** Milliseconds that only ever grow, for measuring and for deadlines within this process. */
  monotonic(): number;
  /** Resolves after `ms`; rejects with the signal's reason when aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: async (ms, signal) => {
    await delay(ms, undefined, signal === undefined ? {} : { signal });
  },
};
