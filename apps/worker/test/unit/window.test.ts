import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LimitReading } from '../../src/pacing/limit-headers.ts';
import { createWindowReader } from '../../src/pacing/window.ts';

const SECOND_MS = 1000;
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** Rounds a reset up to so many milliseconds, as the headers of a provider do. */
type Rounding = 1 | 10 | 1000;

/** A limit that refills all the time, with a bucket of `capacity`, as its provider writes it into its headers. */
function continuous(limit: number, windowMs: number, capacity: number, rounding: Rounding) {
  let level = capacity;
  let atMs = 0;
  return {
    pass: (ms: number): void => {
      atMs += ms;
      level = Math.min(capacity, level + (limit / windowMs) * ms);
    },
    draw: (units: number): void => {
      level = Math.max(0, level - units);
    },
    read: (): LimitReading => ({
      limit,
      remaining: Math.floor(level + 1e-9),
      resetMs: Math.ceil(((capacity - level) * windowMs) / limit / rounding - 1e-9) * rounding,
    }),
  };
}

/** A limit that is there again in full at the end of each window, as its provider writes it into its headers. */
function fixed(limit: number, windowMs: number, rounding: Rounding) {
  let used = 0;
  let atMs = 0;
  return {
    pass: (ms: number): void => {
      if (Math.floor((atMs + ms) / windowMs) > Math.floor(atMs / windowMs)) used = 0;
      atMs += ms;
    },
    draw: (units: number): void => {
      used = Math.min(limit, used + units);
    },
    read: (): LimitReading => ({
      limit,
      remaining: Math.floor(limit - used),
      resetMs: Math.ceil((windowMs - (atMs % windowMs)) / rounding) * rounding,
    }),
  };
}

const turns = fc.array(
  fc.record({
    // Parts of the window, and of the limit.
    pass: fc.double({ min: 0, max: 0.2, noNaN: true }),
    draw: fc.double({ min: 0, max: 0.3, noNaN: true }),
  }),
  { minLength: 30, maxLength: 60 },
);
const roundings = fc.constantFrom<Rounding>(1, 10, 1000);
const windows = fc.constantFrom(SECOND_MS, 10_000, MINUTE_MS, 3_600_000, DAY_MS);

describe('a limit that refills all the time', () => {
  it('gives away its rate once its bucket has been seen at different levels', () => {
    fc.assert(
      fc.property(
        windows,
        roundings,
        fc.integer({ min: 20, max: 10_000_000 }),
        turns,
        (windowMs, rounding, limit, many) => {
          // In whole seconds a second says nothing.
          fc.pre(rounding < 1000 || windowMs > SECOND_MS);
          const bucket = continuous(limit, windowMs, limit, rounding);
          const reader = createWindowReader();
          const seen: LimitReading[] = [];
          for (const { pass, draw } of many) {
            bucket.draw(Math.floor(draw * limit));
            bucket.pass(pass * windowMs);
            const reading = bucket.read();
            seen.push(reading);
            const news = reader.read(reading);
            const last = seen.slice(-24);
            const remainders = last.map(({ remaining }) => remaining);
            const resets = last.map(({ resetMs }) => resetMs ?? 0);
            const spread = Math.max(...remainders) - Math.min(...remainders);
            const spreadMs = Math.max(...resets) - Math.min(...resets);
            if (new Set(remainders).size < 4 || spread < Math.max(6, limit / 4)) continue;
            if (resets.every((ms) => ms % 1000 === 0) && spreadMs < 7000) continue;
            expect(news.rate / (limit / windowMs)).toBeCloseTo(1, 1);
            expect(Math.abs(news.capacity - limit)).toBeLessThanOrEqual(Math.max(1, 0.05 * limit));
          }
        },
      ),
    );
  });

  it('gives away how little of it stands in the bucket at once', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(0.5, 0.1, 1 / 6, 1 / 60),
        fc.constantFrom<Rounding>(1, 10),
        fc.integer({ min: 600, max: 1_000_000 }),
        turns,
        (part, rounding, limit, many) => {
          const bucket = continuous(limit, MINUTE_MS, part * limit, rounding);
          const reader = createWindowReader();
          for (const { pass, draw } of many) {
            bucket.draw(Math.floor(draw * part * limit));
            bucket.pass(pass * part * MINUTE_MS);
            const news = reader.read(bucket.read());
            expect(news.rate).toBe(limit / MINUTE_MS);
            const exact = part * limit;
            expect(Math.abs(news.capacity - exact)).toBeLessThanOrEqual(
              Math.max(2, 0.05 * exact) + (limit / MINUTE_MS) * rounding,
            );
          }
        },
      ),
    );
  });

  it('of another size is another bucket, most likely over the same time', () => {
    const reader = createWindowReader();
    const small = continuous(100, 10_000, 100, 1);
    for (let turn = 0; turn < 10; turn += 1) {
      small.draw(15);
      small.pass(500);
      reader.read(small.read());
    }
    const large = continuous(400, 10_000, 400, 1);
    expect(reader.read(large.read())).toEqual({
      limit: 400,
      rate: 400 / 10_000,
      capacity: 400,
      remaining: 400,
    });
    large.draw(390);
    expect(reader.read(large.read())).toMatchObject({ rate: 400 / 10_000, capacity: 400 });
  });
});

describe('a limit that comes back at the end of a window', () => {
  it('is spread over a minute, whatever its resets look like', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(SECOND_MS, 10_000, MINUTE_MS),
        roundings,
        fc.integer({ min: 20, max: 1_000_000 }),
        turns,
        (windowMs, rounding, limit, many) => {
          const provider = fixed(limit, windowMs, rounding);
          const reader = createWindowReader();
          for (const { pass, draw } of many) {
            provider.draw(Math.floor(draw * limit));
            provider.pass(pass * windowMs);
            const news = reader.read(provider.read());
            expect(news.rate).toBe(limit / MINUTE_MS);
          }
        },
      ),
      { numRuns: 1000 },
    );
  });
});

it('without a reset a minute is assumed, and all of the limit in the bucket', () => {
  const reader = createWindowReader();
  for (const remaining of [90, 50, 0]) {
    expect(reader.read({ limit: 100, remaining, resetMs: null })).toEqual({
      limit: 100,
      rate: 100 / MINUTE_MS,
      capacity: 100,
      remaining,
    });
  }
});

it('whatever the headers say: a rate above 0, and a bucket of at least one and at most the limit', () => {
  const reading = fc.record({
    limit: fc.constantFrom(1, 2, 5, 100, 1e9),
    remaining: fc.integer({ min: 0, max: 2e9 }),
    resetMs: fc.option(fc.double({ min: 0, max: 1e17, noNaN: true })),
  });
  fc.assert(
    fc.property(fc.array(reading, { maxLength: 60 }), (readings) => {
      const reader = createWindowReader();
      for (const each of readings) {
        const { rate, capacity, remaining } = reader.read(each);
        expect(rate).toBeGreaterThan(0);
        expect(rate).toBeLessThanOrEqual(each.limit / SECOND_MS);
        expect(capacity).toBeGreaterThanOrEqual(1);
        expect(capacity).toBeLessThanOrEqual(each.limit);
        expect(remaining).toBe(each.remaining);
      }
    }),
  );
});
