import type { Clock } from '@nightshift/shared/clock';

/** How long ago a count has lost most of its weight. */
const MEMORY_MS = 200;

/** A count that changes all the time, and its mean over time: what it was lately counts most. */
export interface MeanCount {
  readonly now: number;
  readonly mean: number;
  change(by: number): void;
}

export function createMeanCount(clock: Pick<Clock, 'monotonic'>): MeanCount {
  let now = 0;
  let mean = 0;
  let atMs = clock.monotonic();
  const catchUp = (): void => {
    const nowMs = clock.monotonic();
    mean = now + (mean - now) * Math.exp((atMs - nowMs) / MEMORY_MS);
    atMs = nowMs;
  };
  return {
    get now() {
      return now;
    },
    get mean() {
      catchUp();
      return mean;
    },
    change: (by) => {
      catchUp();
      now += by;
    },
  };
}
