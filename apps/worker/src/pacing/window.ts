import type { LimitNews } from '@nightshift/shared/redis';
import type { LimitReading } from './limit-headers.ts';

/**
 * Finds out over what time a provider spreads a limit, and how much of it stands in the bucket at once. Neither is in
 * the headers. With `reset` as the time until the bucket is full (OpenAI), `remaining + rate × reset` is its capacity
 * in every answer; answers whose remainders differ give the rate. Until there are such, a minute is assumed.
 */
export interface WindowReader {
  read(reading: LimitReading): LimitNews;
}

const MINUTE_MS = 60_000;
/** The windows that providers use; what is measured is taken for the nearest. */
const WINDOWS_MS = [1000, 10_000, MINUTE_MS, 3_600_000, 86_400_000];
const KEPT = 24;
/** So many different readings must lie on one line: two lie on one in a fixed window too. */
const ON_LINE = 4;
/** A measured rate further from all of them than this factor proves nothing. */
const TOLERANCE = 1.4;

interface Sample {
  remaining: number;
  resetMs: number;
}

export function createWindowReader(): WindowReader {
  let limit = -1;
  let samples: Sample[] = [];
  let windowMs = MINUTE_MS;
  return {
    read: (reading) => {
      if (reading.limit !== limit) {
        // Another limit is another bucket; its window is most likely the same.
        limit = reading.limit;
        samples = [];
      }
      if (reading.resetMs !== null) {
        samples.push({ remaining: reading.remaining, resetMs: reading.resetMs });
        if (samples.length > KEPT) samples.shift();
        windowMs = measureWindow(limit, samples) ?? windowMs;
      }
      const rate = limit / windowMs;
      return {
        limit,
        rate,
        capacity: capacityOf(limit, rate, samples),
        remaining: reading.remaining,
      };
    },
  };
}

/** From the two samples that lie furthest apart; null when they are too near to each other to tell. */
function measureWindow(limit: number, samples: readonly Sample[]): number | null {
  let low: Sample | undefined;
  let high: Sample | undefined;
  for (const sample of samples) {
    if (low === undefined || sample.remaining < low.remaining) low = sample;
    if (high === undefined || sample.remaining > high.remaining) high = sample;
  }
  if (low === undefined || high === undefined) return null;
  const units = high.remaining - low.remaining;
  const ms = low.resetMs - high.resetMs;
  // Remainders are whole numbers, resets of some providers whole seconds.
  const inSeconds = wholeSeconds(samples);
  if (units < Math.min(3, limit / 3) || ms < (inSeconds ? 5000 : 20)) return null;
  // Where the reset is the end of a fixed window it does not follow what is used, and nothing is measured.
  const msPerUnit = ms / units;
  const blurMs = (inSeconds ? 2000 : 20) + 2 * msPerUnit;
  const readings = new Set<string>();
  for (const { remaining, resetMs } of samples) {
    const expectedMs = high.resetMs + (high.remaining - remaining) * msPerUnit;
    if (Math.abs(resetMs - expectedMs) > blurMs) return null;
    readings.add(`${remaining} ${resetMs}`);
  }
  if (readings.size < ON_LINE) return null;
  const measured = limit * msPerUnit;
  const nearest = WINDOWS_MS.reduce((best, window) =>
    ratio(window, measured) < ratio(best, measured) ? window : best,
  );
  return ratio(nearest, measured) <= TOLERANCE ? nearest : null;
}

function capacityOf(limit: number, rate: number, samples: readonly Sample[]): number {
  // A reset in whole seconds is rounded up: the smallest of several sums is the nearest.
  let capacity = Infinity;
  for (const { remaining, resetMs } of samples) {
    capacity = Math.min(capacity, remaining + rate * resetMs);
  }
  // A remainder is rounded down.
  if (capacity >= limit * 0.9 || capacity === Infinity) return limit;
  return Math.max(1, Math.min(limit, capacity));
}

function wholeSeconds(samples: readonly Sample[]): boolean {
  return samples.every(({ resetMs }) => resetMs % 1000 === 0);
}

function ratio(a: number, b: number): number {
  return Math.max(a / b, b / a);
}
