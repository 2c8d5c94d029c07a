import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addAnswer, emptyLengths, type LaneStanding } from '@nightshift/shared/lane';
import { createDuplicateCount } from '../../src/batches/duplicates.ts';
import { estimateOutput, joinBases } from '../../src/batches/estimate-output.ts';
import { estimatePace, joinPaces, type PaceFacts } from '../../src/batches/estimate-pace.ts';
import { nearestModel } from '../../src/batches/unknown-models.ts';
import { countOf, numberText, spanText } from '../../src/batches/words.ts';

const lengthsOf = (count: number, tokens: number) => {
  const lengths = emptyLengths();
  for (let n = 0; n < count; n += 1) addAnswer(lengths, tokens);
  return lengths;
};

describe('output tokens', () => {
  const open = { limit: null, choices: 1, requests: 10 };
  const limited = { limit: 100, choices: 1, requests: 10 };
  const short = { limit: 400, choices: 2, requests: 10 };

  test('are learned from earlier answers, within the limits of the requests', () => {
    expect(estimateOutput([open, limited, short], lengthsOf(1204, 150))).toEqual({
      likely: 10 * 150 + 10 * 100 + 10 * 2 * 150,
      bounded: 10 * 150 + 10 * 100 + 10 * 400,
      atMost: null,
      unlimitedRequests: 10,
      basis: { source: 'learned', answers: 1204, message: 'learned from 1,204 earlier answers' },
    });
  });

  test('are assumed if there are too few answers', () => {
    for (const lengths of [null, lengthsOf(4, 150)]) {
      expect(estimateOutput([open, limited], lengths)).toEqual({
        likely: 10 * 500 + 10 * 100,
        bounded: 10 * 500 + 10 * 100,
        atMost: null,
        unlimitedRequests: 10,
        basis: {
          ...{ source: 'assumed', answers: 0 },
          message:
            'assumes 500 tokens an answer; `--max-tokens`, or its field in each body, bounds it',
        },
      });
    }
    expect(estimateOutput([limited], null)).toMatchObject({
      atMost: 1000,
      basis: { message: 'assumes 500 tokens an answer, or its limit where that is less' },
    });
  });

  test('are zero if nothing is generated', () => {
    const none = estimateOutput([{ limit: 0, choices: 1, requests: 3 }], lengthsOf(9, 0));
    expect(none).toMatchObject({ likely: 0, bounded: 0, atMost: 0, basis: { source: 'none' } });
  });

  test('the likely number never exceeds the limits, and there is a maximum only if all requests set a limit', () => {
    const group = fc.record({
      limit: fc.option(fc.integer({ min: 0, max: 100_000 })),
      choices: fc.integer({ min: 1, max: 8 }),
      requests: fc.integer({ min: 1, max: 50_000 }),
    });
    const answered = fc.option(fc.tuple(fc.nat(50), fc.nat(5000)));
    fc.assert(
      fc.property(fc.array(group, { minLength: 1, maxLength: 6 }), answered, (outputs, given) => {
        const found = estimateOutput(outputs, given && lengthsOf(...given));
        expect(found.likely).toBeLessThanOrEqual(found.bounded + 1);
        const isBounded = outputs.every(({ limit }) => limit !== null);
        expect(found.atMost !== null).toBe(isBounded);
        if (found.atMost !== null) expect(found.bounded).toBe(found.atMost);
      }),
    );
  });

  test('of several models name what is learned and what is assumed', () => {
    const learned = estimateOutput([open], lengthsOf(30, 10));
    const assumed = estimateOutput([open], null);
    const none = estimateOutput([{ limit: 0, choices: 1, requests: 1 }], null);
    expect(joinBases([learned, learned, none])).toMatchObject({ source: 'learned', answers: 60 });
    expect(joinBases([assumed, none])).toEqual(assumed.basis);
    expect(joinBases([none])).toMatchObject({ source: 'none' });
    expect(joinBases([learned, assumed])).toEqual({
      ...{ source: 'mixed', answers: 30 },
      message:
        '1 model learned from 30 earlier answers; for the others it assumes 500 tokens an answer; `--max-tokens`, or its field in each body, bounds it',
    });
  });
});

describe('the end', () => {
  const NOW = 1_000_000_000;
  const noLimits = {
    ...{ requestsPerMinute: null, tokensPerMinute: null, concurrency: null },
    source: 'none' as const,
  };
  const facts = (more: Partial<PaceFacts> = {}): PaceFacts => ({
    ...{ model: 'm', provider: 'p', requests: 600, tokens: 60_000, limits: noLimits },
    ...{ reached: null, standing: { state: 'open' }, nowMs: NOW },
    ...more,
  });
  const reached = { perSecond: 2, busyMs: 540_000, atMs: NOW - 7_200_000 };
  const limits = { ...noLimits, requestsPerMinute: 1000, tokensPerMinute: 100_000 };

  test('comes from the recent throughput', () => {
    expect(estimatePace(facts({ reached, limits }))).toEqual({
      minutes: 5,
      basis: {
        source: 'reached',
        message: 'at 120 results a minute, measured for m over 9 min of work, 2 h ago',
      },
    });
  });

  test('else from the limits, also when they are now lower than the throughput', () => {
    const low = { ...limits, requestsPerMinute: 60 };
    const message = 'at the limits of m: 60 requests and 100,000 tokens a minute';
    for (const of of [null, reached]) {
      expect(estimatePace(facts({ reached: of, limits: low }))).toEqual({
        ...{ minutes: 10, basis: { source: 'limits', message } },
      });
    }
  });

  test('else is unknown, and says so', () => {
    const old = { ...reached, atMs: NOW - 8 * 86_400_000 };
    for (const of of [null, old, { ...reached, perSecond: 0 }]) {
      expect(estimatePace(facts({ reached: of }))).toEqual({
        minutes: null,
        basis: {
          source: 'unknown',
          message: 'no limit of m is known, and no throughput was measured recently',
        },
      });
    }
  });

  test.each<[LaneStanding, string]>([
    [
      { state: 'paused', reason: 'operator', message: 'paused by an operator', untilMs: null },
      'm at p is paused: paused by an operator',
    ],
    [
      { state: 'unreachable', message: 'refused', failures: 9, sinceMs: 1, untilMs: NOW + 40_000 },
      'm at p is unreachable: refused; next try in 40 s',
    ],
  ])('is not estimated while a lane is paused or unreachable: %j', (standing, message) => {
    expect(estimatePace(facts({ reached, limits, standing }))).toEqual({
      ...{ minutes: null, basis: { source: 'standing_still', message } },
    });
  });

  test('of several lanes is that of the slowest, if all have an estimate', () => {
    const fast = estimatePace(facts({ limits }));
    const slow = estimatePace(facts({ reached }));
    const unknown = estimatePace(facts());
    const standing = { state: 'unreachable', message: 'no', failures: 1, sinceMs: 1, untilMs: NOW };
    const still = estimatePace(facts({ standing: standing as LaneStanding }));
    expect(joinPaces([fast, slow])).toEqual(slow);
    expect(joinPaces([fast, unknown])).toEqual(unknown);
    expect(joinPaces([unknown, fast, still, still])).toEqual({
      minutes: null,
      basis: {
        source: 'standing_still',
        message: 'm at p is unreachable: no; next try in 0 s, and likewise for 1 other model',
      },
    });
    expect(joinPaces([])).toMatchObject({ minutes: null, basis: { source: 'unknown' } });
  });
});

describe('duplicates', () => {
  test('are bodies with the same content as an earlier one', () => {
    const count = createDuplicateCount();
    count.add({ model: 'm', input: ['a', 1] });
    count.add({ input: ['a', 1], model: 'm' });
    count.add({ input: [1, 'a'], model: 'm' });
    count.add({ model: 'm', input: ['a', 1] });
    expect(count.count).toBe(2);
  });

  test('are the bodies that a set would drop', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ model: fc.constantFrom('a', 'b'), n: fc.nat(5) })),
        (all) => {
          const count = createDuplicateCount();
          for (const body of all) count.add(body);
          const different = new Set(all.map(({ model, n }) => `${model} ${n}`)).size;
          expect(count.count).toBe(all.length - different);
        },
      ),
    );
  });

  test('beyond the limit are compared only with the kept bodies', () => {
    const count = createDuplicateCount(2);
    for (const body of [1, 2, 3, 3, 1, 2]) count.add(body);
    expect(count.count).toBe(2);
  });
});

test.each([
  ['gpt-4o-mimi', 'gpt-4o-mini'],
  ['gtp-4o', 'gpt-4o'],
  ['gpt4o', 'gpt-4o'],
  ['llama-3.3-70b', null],
  ['', null],
])('the nearest name of %j is %j', (model, nearest) => {
  expect(nearestModel(model, ['gpt-4o', 'gpt-4o-mini', 'gpt-5'])).toBe(nearest);
});

test('numbers in messages', () => {
  expect([countOf(1, 'answer'), countOf(1204, 'answer')]).toEqual(['1 answer', '1,204 answers']);
  expect([0.254, 8.44, 11.4, 1203.6].map(numberText)).toEqual(['0.25', '8.4', '11', '1,204']);
  expect([-5, 59_000, 61_000, 7_200_000, 3 * 86_400_000].map(spanText)).toEqual([
    ...['0 s', '59 s', '1 min', '2 h', '3 days'],
  ]);
});
