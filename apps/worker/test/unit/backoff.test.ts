import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backoffMs, spreadMs } from '../../src/attempt/backoff.ts';

const policy = { baseMs: 2000, capMs: 60_000 };
const random = fc.double({ min: 0, max: 0.999, noNaN: true });

describe('backoffMs', () => {
  it('is full jitter under a doubling, capped bound', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), random, (attempt, drawn) => {
        const ms = backoffMs({
          attempt,
          maxAttempts: 100,
          elapsedMs: 0,
          retryAfterMs: null,
          random: drawn,
          policy,
        });
        expect(ms).toBeCloseTo(drawn * Math.min(60_000, 2000 * 2 ** (attempt - 1)), 6);
      }),
    );
  });

  it('never comes back before the provider says', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 0, max: 10_000_000 }),
        random,
        (attempt, asked, drawn) => {
          const ms = backoffMs({
            attempt,
            maxAttempts: 100,
            elapsedMs: 0,
            retryAfterMs: asked,
            random: drawn,
            policy,
          });
          expect(ms).toBeGreaterThanOrEqual(asked);
          expect(ms).toBeLessThanOrEqual(Math.max(asked * 1.1, 60_000));
        },
      ),
    );
  });

  it('spreads the default eight attempts over at least two minutes, whatever is drawn', () => {
    fc.assert(
      fc.property(fc.array(random, { minLength: 7, maxLength: 7 }), (draws) => {
        let elapsedMs = 0;
        for (const [index, drawn] of draws.entries()) {
          elapsedMs += backoffMs({
            attempt: index + 1,
            maxAttempts: 8,
            elapsedMs,
            retryAfterMs: null,
            random: drawn,
            policy,
          });
        }
        expect(elapsedMs).toBeGreaterThanOrEqual(120_000);
      }),
    );
  });

  it('spreads fewer attempts over a fitting part of that', () => {
    expect(spreadMs(1)).toBe(0);
    expect(spreadMs(2)).toBeCloseTo(945, 0);
    expect(spreadMs(3)).toBeCloseTo(2835, 0);
    expect(spreadMs(8)).toBe(120_000);
    expect(spreadMs(20)).toBe(120_000);
  });
});
