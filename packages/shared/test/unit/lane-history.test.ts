import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addAnswer, emptyLengths, expectedLength, parseHistory } from '../../src/lane/index.ts';

const lengthsOf = (tokens: readonly number[]) => {
  const lengths = emptyLengths();
  for (const each of tokens) addAnswer(lengths, each);
  return lengths;
};
const meanOf = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

const answers = fc.array(fc.integer({ min: 0, max: 200_000 }), { minLength: 1, maxLength: 200 });

describe('the length to expect of an answer', () => {
  test('is the mean of the earlier ones without a limit', () => {
    fc.assert(
      fc.property(answers, (tokens) => {
        expect(expectedLength(lengthsOf(tokens), Infinity)).toBeCloseTo(meanOf(tokens), 5);
      }),
    );
  });

  test('is never above the limit, and grows with it', () => {
    const limit = fc.integer({ min: 0, max: 300_000 });
    fc.assert(
      fc.property(answers, limit, limit, (tokens, one, other) => {
        const lengths = lengthsOf(tokens);
        const [low, high] = [Math.min(one, other), Math.max(one, other)];
        const expected = expectedLength(lengths, low);
        expect(expected).toBeLessThanOrEqual(low);
        expect(expected).toBeLessThanOrEqual(expectedLength(lengths, high) + 1e-9);
      }),
    );
  });

  test('with a limit is near the mean of the answers cut at it', () => {
    const tokens = Array.from({ length: 1000 }, (_, n) => 10 + ((n * 7919) % 1990));
    for (const limit of [50, 200, 1000]) {
      const cut = meanOf(tokens.map((each) => Math.min(limit, each)));
      expect(expectedLength(lengthsOf(tokens), limit) / cut).toBeGreaterThan(0.9);
      expect(expectedLength(lengthsOf(tokens), limit) / cut).toBeLessThan(1.1);
    }
  });

  test('accepts lengths that no answer has', () => {
    expect(expectedLength(emptyLengths(), 100)).toBe(0);
    expect(expectedLength(lengthsOf([0, 0]), 100)).toBe(0);
    expect(expectedLength(lengthsOf([Number.MAX_SAFE_INTEGER]), 7)).toBe(7);
  });
});

describe('a history as it is stored', () => {
  test('is read', () => {
    const lengths = lengthsOf([5, 7]);
    expect(
      parseHistory({
        'answers:/v1/responses': JSON.stringify(lengths),
        stretch: '7 1 1 1 1',
        reached: '1200 3 5000',
      }),
    ).toEqual({
      lengths: new Map([['/v1/responses', lengths]]),
      reached: { perSecond: 40, busyMs: 30_000, atMs: 5000 },
    });
  });

  test('is empty without a measured throughput, or with malformed fields', () => {
    const nothing = { lengths: new Map(), reached: null };
    expect(parseHistory({})).toEqual(nothing);
    expect(parseHistory({ reached: '0 0 5' })).toEqual(nothing);
    fc.assert(
      fc.property(fc.string(), fc.string(), (one, other) => {
        const { lengths } = parseHistory({ 'answers:/v1/responses': one, reached: other });
        expect(lengths.size).toBe(0);
      }),
    );
  });
});
