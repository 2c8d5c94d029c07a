import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { allowedBy, earliestAdmissions, type LimitModel } from '../../src/pacing/limit-model.ts';

const none: LimitModel = {
  requestsPerMinute: null,
  tokensPerMinute: null,
  requestWindowMs: 60_000,
  tokenWindowMs: 60_000,
  startLevel: 1,
  outsideShare: 0,
  changes: [],
};
const admissions = (model: LimitModel, charges: readonly number[]) =>
  [...earliestAdmissions(model, charges)].map(Math.round);
const ones = (count: number) => Array.from({ length: count }, () => 1);

describe('the earliest admissions', () => {
  it('use up what is there, and then come at the rate', () => {
    const model = { ...none, requestsPerMinute: 60, startLevel: 0.05 };
    expect(admissions(model, ones(5))).toEqual([0, 0, 0, 1000, 2000]);
  });

  it('wait for the limit that binds', () => {
    const model = { ...none, requestsPerMinute: 60, tokensPerMinute: 6000, startLevel: 0 };
    expect(admissions(model, [10, 500, 10])).toEqual([1000, 5100, 5200]);
  });

  it('lose what flows into a full bucket', () => {
    const model = { ...none, requestsPerMinute: 60, tokensPerMinute: 600, requestWindowMs: 2000 };
    // 60 s pass until 600 tokens are there again; of the requests no more than two are kept.
    expect(admissions(model, [600, 600, 1, 1])).toEqual([0, 60_000, 60_100, 61_000]);
  });

  it('know of outsiders, and of limits that change', () => {
    const model = { ...none, requestsPerMinute: 60, startLevel: 0 };
    expect(admissions({ ...model, outsideShare: 0.5 }, ones(2))).toEqual([2000, 4000]);
    const halved = { ...model, changes: [{ atMs: 1500, factor: 0.5 }] };
    // Of the half request that was there by then nothing is left: as much as half the limit is in use.
    expect(admissions(halved, ones(3))).toEqual([1000, 3500, 5500]);
    const raised = [
      { atMs: 0, factor: 0.5 },
      { atMs: 2000, factor: 1 },
    ];
    // 30 are used of 30, and then 30 of 60.
    expect(admissions({ ...model, changes: raised }, ones(32)).at(-1)).toBe(3000);
  });

  it('refuse what never fits', () => {
    const model = { ...none, tokensPerMinute: 10 };
    expect(() => admissions(model, [11])).toThrow('11 never fit into a bucket of 10');
  });

  it('are never more than what is allowed, and all of it when nothing is lost', () => {
    const factors = fc.constantFrom(0.25, 0.5, 1, 2);
    const changes = fc.tuple(factors, factors).map(([first, second]) => [
      { atMs: 20_000, factor: first },
      { atMs: 50_000, factor: second },
    ]);
    fc.assert(
      fc.property(
        changes,
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.constantFrom(0, 0.2, 0.4),
        (changing, startLevel, outsideShare) => {
          const model = {
            ...none,
            requestsPerMinute: 600,
            startLevel,
            outsideShare,
            changes: changing,
          };
          const all = [...earliestAdmissions(model, ones(3000))];
          for (const untilMs of [10_000, 20_001, 49_000, 70_000]) {
            const admitted = all.filter((atMs) => atMs <= untilMs).length;
            const allowed = allowedBy(model, untilMs).requests ?? 0;
            expect(admitted).toBeLessThanOrEqual(allowed + 1e-3);
            expect(admitted).toBeGreaterThan(allowed - 2 - changing.length);
          }
        },
      ),
    );
  });
});

describe('what is allowed', () => {
  it('is the start, the refill, and what a raised limit adds', () => {
    const model = { ...none, requestsPerMinute: 600, tokensPerMinute: null, startLevel: 0.5 };
    expect(allowedBy(model, 60_000)).toEqual({ requests: 900, tokens: null });
    const changes = [
      { atMs: 10_000, factor: 0.5 },
      { atMs: 30_000, factor: 1 },
    ];
    expect(allowedBy({ ...model, changes }, 60_000).requests).toBeCloseTo(
      300 + 100 + 100 + 300 + 300,
    );
    expect(allowedBy({ ...model, changes }, 20_000).requests).toBeCloseTo(300 + 100 + 50);
  });
});
