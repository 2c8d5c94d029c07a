import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRedisClock } from '../../src/pacing/redis-clock.ts';

const REDIS_AHEAD_MS = 1_800_000_000_000;

interface Asked {
  toMs: number;
  backMs: number;
}

/** Asks Redis once a second over a way with these delays; Redis shows whole milliseconds. */
function ask(clock: ReturnType<typeof createRedisClock>, asked: readonly Asked[], aheadMs: number) {
  for (const [at, { toMs, backMs }] of asked.entries()) {
    const sentMs = at * 1000.3;
    const redisMs = Math.floor(sentMs + toMs + aheadMs);
    clock.learn(sentMs, sentMs + toMs + backMs, redisMs);
  }
}

const delays = fc.record({
  toMs: fc.double({ min: 0, max: 400, noNaN: true }),
  backMs: fc.double({ min: 0, max: 400, noNaN: true }),
});

describe("Redis' clock", () => {
  it('is off by no more than half of the quickest answer, however unequal the ways', () => {
    fc.assert(
      fc.property(fc.array(delays, { minLength: 1, maxLength: 32 }), (asked) => {
        const clock = createRedisClock();
        ask(clock, asked, REDIS_AHEAD_MS);
        const quickest = Math.min(...asked.map(({ toMs, backMs }) => toMs + backMs));
        const error = Math.abs(clock.redisAt(5000) - 5000 - REDIS_AHEAD_MS);
        expect(error).toBeLessThanOrEqual(quickest / 2 + 0.51);
      }),
    );
  });

  it('converts there and back', () => {
    const clock = createRedisClock();
    ask(clock, [{ toMs: 1, backMs: 3 }], REDIS_AHEAD_MS);
    expect(clock.monotonicAt(clock.redisAt(123.5))).toBeCloseTo(123.5, 2);
  });

  it.each([7_200_000, -7_200_000])('follows a jump of %i ms with the next answer', (jumpMs) => {
    const clock = createRedisClock();
    ask(
      clock,
      Array.from({ length: 40 }, () => ({ toMs: 0.1, backMs: 0.1 })),
      REDIS_AHEAD_MS,
    );
    ask(clock, [{ toMs: 20, backMs: 20 }], REDIS_AHEAD_MS + jumpMs);
    expect(Math.abs(clock.redisAt(0) - REDIS_AHEAD_MS - jumpMs)).toBeLessThanOrEqual(21);
  });

  it('takes a slow answer for no jump', () => {
    const clock = createRedisClock();
    ask(clock, [{ toMs: 0.2, backMs: 0.2 }], REDIS_AHEAD_MS);
    ask(clock, [{ toMs: 20_000, backMs: 1 }], REDIS_AHEAD_MS);
    ask(clock, [{ toMs: 1, backMs: 20_000 }], REDIS_AHEAD_MS);
    expect(Math.abs(clock.redisAt(0) - REDIS_AHEAD_MS)).toBeLessThanOrEqual(1);
  });

  it('follows a slow drift', () => {
    const clock = createRedisClock();
    // 50 ppm over an hour of turns each 500 ms: 180 ms in all.
    for (let at = 0; at < 7200; at += 1) {
      const sentMs = at * 500;
      clock.learn(sentMs, sentMs + 1, Math.floor(REDIS_AHEAD_MS + (sentMs + 0.5) * 1.000_05));
    }
    const atMs = 3_600_000;
    expect(Math.abs(clock.redisAt(atMs) - REDIS_AHEAD_MS - atMs * 1.000_05)).toBeLessThan(3);
  });
});
