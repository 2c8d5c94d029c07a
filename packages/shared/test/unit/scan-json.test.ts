import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MAX_JSON_DEPTH, scanJson, type Span } from '../../src/json/index.ts';

/** JSON with white space of all kinds between its tokens, as people and libraries write it. */
const spaced = (value: unknown, space: () => string): string => {
  if (Array.isArray(value)) {
    return `[${space()}${value.map((inner) => spaced(inner, space)).join(`${space()},${space()}`)}${space()}]`;
  }
  if (typeof value === 'object' && value !== null) {
    const pairs = Object.entries(value).map(
      ([key, inner]) => `${JSON.stringify(key)}${space()}:${space()}${spaced(inner, space)}`,
    );
    return `{${space()}${pairs.join(`${space()},${space()}`)}${space()}}`;
  }
  return JSON.stringify(value);
};

const anyJson = fc
  .record({
    value: fc.oneof(fc.jsonValue(), fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue())),
    spaces: fc.array(fc.constantFrom('', ' ', '\n', '\t', '\r\n  '), { minLength: 1 }),
  })
  .map(({ value, spaces }) => {
    let at = 0;
    return spaced(value, () => spaces[at++ % spaces.length] ?? '');
  });

/** What a plain walk over the parsed value says. */
const deepest = (value: unknown): number =>
  typeof value !== 'object' || value === null
    ? 0
    : 1 + Math.max(0, ...Object.values(value).map(deepest));

const hasForbiddenKey = (value: unknown): boolean => {
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(value).some(
    ([key, inner]) =>
      (!Array.isArray(value) && key === '__proto__') ||
      (!Array.isArray(value) &&
        key === 'constructor' &&
        typeof inner === 'object' &&
        inner !== null &&
        !Array.isArray(inner) &&
        Object.hasOwn(inner, 'prototype')) ||
      hasForbiddenKey(inner),
  );
};

const spansOf = (text: string): ReadonlyMap<string, Span> => {
  const result = scanJson(text);
  if (result.kind !== 'ok') throw new Error(`${result.kind} at ${result.path}`);
  return result.spans;
};

describe('spans', () => {
  test('the slice of each top-level property parses to that property', () => {
    fc.assert(
      fc.property(anyJson, (text) => {
        const value = JSON.parse(text) as unknown;
        fc.pre(!hasForbiddenKey(value));
        const spans = spansOf(text);
        const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
        const properties = isObject ? (value as Record<string, unknown>) : {};
        expect([...spans.keys()].toSorted()).toEqual(Object.keys(properties).toSorted());
        for (const [key, { start, end }] of spans) {
          const slice = text.slice(start, end);
          expect(slice).toBe(slice.trim());
          expect(JSON.parse(slice)).toEqual(properties[key]);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('a repeated key counts as JSON.parse counts it: the last wins', () => {
    const text = '{"a": 1, "a": [2]}';
    const span = spansOf(text).get('a');
    expect(text.slice(span?.start, span?.end)).toBe('[2]');
  });

  test('a key written with escapes is found under what it says', () => {
    const text = String.raw`{"\u0062ody": {"x": "}\","}, "z": 1}`;
    const span = spansOf(text).get('body');
    expect(text.slice(span?.start, span?.end)).toBe(String.raw`{"x": "}\","}`);
  });

  test('the bytes of numbers beyond double precision are the ones that came', () => {
    const text = '{"body":{"seed":12345678901234567890.10}}';
    const span = spansOf(text).get('body');
    expect(text.slice(span?.start, span?.end)).toBe('{"seed":12345678901234567890.10}');
  });
});

describe('depth', () => {
  test('up to the limit passes, one more does not, for every mixture of arrays and objects', () => {
    fc.assert(
      fc.property(
        fc.array(fc.boolean(), { minLength: MAX_JSON_DEPTH - 3, maxLength: MAX_JSON_DEPTH + 3 }),
        (kinds) => {
          const text = kinds.reduceRight(
            (inner, isArray) => (isArray ? `[${inner}]` : `{"k":${inner}}`),
            '1',
          );
          expect(deepest(JSON.parse(text))).toBe(kinds.length);
          expect(scanJson(text).kind).toBe(kinds.length <= MAX_JSON_DEPTH ? 'ok' : 'too_deep');
        },
      ),
    );
  });

  test('100,000 levels are refused without being walked', () => {
    const result = scanJson(`{"body":${'['.repeat(100_000)}`);
    expect(result).toMatchObject({ kind: 'too_deep', path: expect.stringMatching(/^body\[0\]/) });
  });

  test('brackets inside strings are no levels', () => {
    expect(scanJson(JSON.stringify({ a: '[{'.repeat(1000) })).kind).toBe('ok');
  });
});

describe('forbidden keys', () => {
  const awkward = fc.constantFrom('__proto__', 'constructor', 'prototype', 'a', '"__proto__":');
  const tree = fc.letrec<{ node: unknown }>((tie) => ({
    node: fc.oneof(
      { maxDepth: 4 },
      awkward,
      fc.array(tie('node'), { maxLength: 3 }),
      fc
        .array(fc.tuple(awkward, tie('node')), { maxLength: 3 })
        // Object.fromEntries defines `__proto__` as a property of its own, as JSON.parse does.
        .map((entries) => Object.fromEntries(entries)),
    ),
  })).node;

  test('found exactly where a walk over the parsed value finds one', () => {
    fc.assert(
      fc.property(tree, (value) => {
        const text = JSON.stringify(value);
        expect(scanJson(text).kind).toBe(hasForbiddenKey(value) ? 'forbidden_key' : 'ok');
      }),
      { numRuns: 1000 },
    );
  });

  test('found when each of its characters may be an escape', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 9, maxLength: 9 }), (escaped) => {
        const key = '__proto__'
          .split('')
          .map((char, at) =>
            escaped[at] === true ? `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}` : char,
          )
          .join('');
        expect(scanJson(`{"body":{"a":[0,{"${key}":1}]}}`)).toEqual({
          kind: 'forbidden_key',
          path: 'body.a[1].__proto__',
        });
      }),
    );
  });

  test.each([
    '{"a":"__proto__"}',
    '{"a":["__proto__", "constructor"]}',
    String.raw`{"a":"\"__proto__\":1"}`,
    '{"constructor":1,"prototype":2}',
    '{"constructor":[{"prototype":2}]}',
    '"__proto__"',
  ])('not flagged: %s', (text) => {
    expect(scanJson(text).kind).toBe('ok');
  });

  test('a path is short enough for an error message, however long the keys', () => {
    const result = scanJson(`{"${'k'.repeat(100_000)}":{"__proto__":1}}`);
    expect(result).toMatchObject({ kind: 'forbidden_key' });
    expect(result.kind === 'ok' ? 0 : result.path.length).toBeLessThanOrEqual(201);
  });
});

test('never throws, whatever the text', () => {
  const garbage = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({
      unit: fc.constantFrom('{', '}', '[', ']', '"', ':', ',', '\\', 'a', ' ', '\\u00', '1'),
      maxLength: 200,
    }),
    fc.tuple(anyJson, fc.nat(), fc.nat()).map(([text, from, to]) => text.slice(from, from + to)),
  );
  fc.assert(
    fc.property(garbage, (text) => {
      expect(['ok', 'too_deep', 'forbidden_key']).toContain(scanJson(text).kind);
    }),
    { numRuns: 2000 },
  );
});
