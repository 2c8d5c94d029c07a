import fc from 'fast-check';
import { expect, test } from 'vitest';
import { canonicalJson } from '../../src/json/index.ts';

const shuffled = (value: unknown, order: () => number): unknown => {
  if (Array.isArray(value)) return value.map((inner) => shuffled(inner, order));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .map(([key, inner]) => ({ key, inner: shuffled(inner, order), at: order() }))
      .toSorted((a, b) => a.at - b.at)
      .map(({ key, inner }) => [key, inner]),
  );
};

test('says the same as the value it was made of', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const plain: unknown = JSON.parse(JSON.stringify(value));
      expect(JSON.parse(canonicalJson(value))).toEqual(plain);
    }),
    { numRuns: 500 },
  );
});

test('does not depend on the order of keys or on white space', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.infiniteStream(fc.nat()), (value, numbers) => {
      const other = shuffled(value, () => Number(numbers.next().value));
      const reparsed: unknown = JSON.parse(JSON.stringify(other, null, 2));
      expect(canonicalJson(reparsed)).toBe(canonicalJson(value));
    }),
    { numRuns: 500 },
  );
});

test('differs where the values differ', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
      const [plainA, plainB] = [JSON.parse(JSON.stringify(a)), JSON.parse(JSON.stringify(b))];
      const same = canonicalJson(plainA) === canonicalJson(plainB);
      if (same) expect(plainA).toEqual(plainB);
      else expect(plainA).not.toEqual(plainB);
    }),
    { numRuns: 500 },
  );
});

test('an undefined property is none, and an undefined element is null, as in JSON.stringify', () => {
  expect(canonicalJson({ b: 1, a: undefined, c: [undefined] })).toBe('{"b":1,"c":[null]}');
});

test('the order of an array matters', () => {
  expect(canonicalJson([1, 2])).not.toBe(canonicalJson([2, 1]));
});
