import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Bucket } from '../../src/limits/bucket.ts';

interface Event {
  afterMs: number;
  amount: number;
}

/**
 * The level of a bucket by definition and without a running state: the smallest of what is left
 * when one assumes that it was last full (or at its start level) just before each past event.
 */
function levelByDefinition(
  start: number,
  capacity: number,
  ratePerMs: number,
  taken: ReadonlyArray<{ atMs: number; amount: number }>,
  nowMs: number,
): number {
  const since = (fromMs: number): number =>
    taken.filter(({ atMs }) => atMs >= fromMs).reduce((sum, { amount }) => sum + amount, 0);
  const fullBefore = [...taken.map(({ atMs }) => atMs), nowMs].map(
    (atMs) => capacity + ratePerMs * (nowMs - atMs) - since(atMs),
  );
  return Math.min(start + ratePerMs * nowMs - since(0), ...fullBefore);
}

const events = fc.array(
  fc.record({
    afterMs: fc.integer({ min: 0, max: 5000 }),
    amount: fc.integer({ min: 1, max: 400 }),
  }),
  { minLength: 1, maxLength: 60 },
);
const options = fc.record({
  perMinute: fc.integer({ min: 1, max: 100_000 }),
  windowMs: fc.constantFrom(1000, 10_000, 60_000),
  startLevel: fc.constantFrom(0, 0.3, 1),
  outsideShare: fc.constantFrom(0, 0.2, 1),
});

describe('a bucket', () => {
  it('admits exactly what a brute-force model admits', () => {
    fc.assert(
      fc.property(options, events, (given, calls: Event[]) => {
        const bucket = new Bucket(given, 0);
        const rate = (given.perMinute / 60_000) * (1 - given.outsideShare);
        const start = bucket.capacity * given.startLevel;
        const taken: Array<{ atMs: number; amount: number }> = [];
        let nowMs = 0;
        for (const { afterMs, amount } of calls) {
          nowMs += afterMs;
          const expected = levelByDefinition(start, bucket.capacity, rate, taken, nowMs);
          expect(bucket.level(nowMs)).toBeCloseTo(expected, 4);
          // On the very edge rounding decides, and either answer is right.
          if (Math.abs(expected - amount) < 1e-4) continue;
          expect(bucket.has(amount, nowMs)).toBe(expected > amount);
          if (!bucket.has(amount, nowMs)) continue;
          bucket.take(amount, nowMs);
          taken.push({ atMs: nowMs, amount });
        }
      }),
    );
  });

  it('lets in whoever waited as told, and tells nobody to wait who need not', () => {
    fc.assert(
      fc.property(options, events, (given, calls) => {
        const bucket = new Bucket({ ...given, outsideShare: 0 }, 0);
        let nowMs = 0;
        for (const { afterMs, amount } of calls) {
          nowMs += afterMs;
          if (amount > bucket.capacity) continue;
          const waitMs = bucket.waitMs(amount, nowMs);
          const missing = amount - bucket.level(nowMs);
          if (missing <= 0) expect(waitMs).toBeLessThanOrEqual(60_000 / given.perMinute);
          nowMs += waitMs;
          expect(bucket.has(amount, nowMs)).toBe(true);
          bucket.take(amount, nowMs);
        }
      }),
    );
  });

  it('is never fuller than its window, and says when it is full', () => {
    fc.assert(
      fc.property(options, events, (given, calls) => {
        const bucket = new Bucket({ ...given, outsideShare: 0 }, 0);
        let nowMs = 0;
        for (const { afterMs, amount } of calls) {
          nowMs += afterMs;
          bucket.takeAtMost(amount, nowMs);
          const fullInMs = bucket.fullInMs(nowMs);
          expect(bucket.level(nowMs)).toBeGreaterThanOrEqual(0);
          expect(bucket.level(nowMs)).toBeLessThanOrEqual(bucket.capacity);
          nowMs += fullInMs;
          expect(bucket.level(nowMs)).toBeCloseTo(bucket.capacity, 4);
        }
      }),
    );
  });

  it('keeps what is used when its limit changes', () => {
    const base = { windowMs: 60_000, startLevel: 1, outsideShare: 0 };
    const bucket = new Bucket({ ...base, perMinute: 100 }, 0);
    bucket.take(40, 0);
    bucket.configure({ ...base, perMinute: 500 }, 0);
    expect(bucket.level(0)).toBe(460);
    bucket.configure({ ...base, perMinute: 10 }, 0);
    expect(bucket.level(0)).toBe(0);
  });

  it('ignores a clock that steps back', () => {
    const bucket = new Bucket(
      { perMinute: 60, windowMs: 60_000, startLevel: 0, outsideShare: 0 },
      10_000,
    );
    expect(bucket.level(5000)).toBe(0);
    expect(bucket.level(11_000)).toBeCloseTo(1);
  });
});
