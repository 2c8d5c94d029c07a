import fc from 'fast-check';
import { expect, test } from 'vitest';
import { addEntry, createVocabulary, NO_RANK, rankOf } from '../../src/tokens/vocabulary.ts';

function vocabularyOf(ranks: ReadonlyMap<string, number>) {
  const vocabulary = createVocabulary(ranks.size, [...ranks.keys()].join('').length);
  for (const [text, rank] of ranks) addEntry(vocabulary, text, rank);
  return (text: string, from = 0, to = text.length) => rankOf(vocabulary, text, from, to);
}

test('an entry has its rank wherever it stands in a text', () => {
  const rank = vocabularyOf(new Map([['night', 7]]));
  expect(rank('night')).toBe(7);
  expect(rank('overnight shift', 4, 9)).toBe(7);
  expect(rank('a long evening and a night'.slice(6), 15, 20)).toBe(7);
});

test('parts of an entry, and what goes on behind it, are not in the vocabulary', () => {
  const rank = vocabularyOf(new Map([['night', 7]]));
  for (const absent of ['n', 'nigh', 'ight', 'nights', 'Night', 'thgin', '']) {
    expect(rank(absent)).toBe(NO_RANK);
  }
  expect(rank('night', 0, 4)).toBe(NO_RANK);
  expect(rank('night', 2, 2)).toBe(NO_RANK);
});

test('nothing is in an empty vocabulary, and the empty text can be an entry', () => {
  expect(vocabularyOf(new Map())('')).toBe(NO_RANK);
  expect(vocabularyOf(new Map())('night')).toBe(NO_RANK);
  const rank = vocabularyOf(new Map([['', 3]]));
  expect(rank('')).toBe(3);
  expect(rank('night', 2, 2)).toBe(3);
  expect(rank('night')).toBe(NO_RANK);
});

test('entries back to back are not taken for one', () => {
  const rank = vocabularyOf(new Map(Object.entries({ ni: 0, ght: 1, shift: 2 })));
  for (const absent of ['night', 'ghtshift', 'i', 'tsh']) expect(rank(absent)).toBe(NO_RANK);
});

test('characters outside the basic plane are told by both halves', () => {
  const rank = vocabularyOf(new Map(Object.entries({ '🌒': 4, '\uD83C': 5, '夜🌒': 6 })));
  expect(rank('🌒')).toBe(4);
  expect(rank('🌓')).toBe(NO_RANK);
  expect(rank('🌒', 0, 1)).toBe(5);
  expect(rank('🌒', 1, 2)).toBe(NO_RANK);
  expect(rank('a夜🌒', 1, 4)).toBe(6);
  expect(rank('夜🌒', 0, 2)).toBe(NO_RANK);
});

test('texts with the same hash are told apart', () => {
  // FNV-1a of both texts of a pair is the same, so only their code units tell.
  const pairs = { kqes: 'zvpzdr', qjbf: 'zvvagg', dxeldg: 'mxaypq', yzhozu: 'mvxcji' };
  const [texts, others] = [Object.keys(pairs), Object.values(pairs)];
  const rank = vocabularyOf(new Map(texts.map((text, at) => [text, at])));
  for (const other of others) expect(rank(other)).toBe(NO_RANK);
  const both = [...texts, ...others];
  const rankOfBoth = vocabularyOf(new Map(both.map((text, at) => [text, at])));
  expect(both.map((text) => rankOfBoth(text))).toEqual([...both.keys()]);
});

test('is a Map of texts to ranks', () => {
  // Of few letters, so that many entries are parts of others and many texts are entries.
  const text = fc.oneof(
    fc.string({ unit: fc.constantFrom('a', 'b', '夜', '🌒', '\uD83C'), maxLength: 5 }),
    fc.string({ unit: 'binary', maxLength: 40 }),
  );
  const rank = fc.integer({ min: 0, max: NO_RANK - 1 });
  const ranks = fc.uniqueArray(fc.tuple(text, rank), { selector: ([key]) => key, maxLength: 200 });
  fc.assert(
    fc.property(ranks, fc.array(text, { maxLength: 20 }), text, text, (entries, others, x, y) => {
      const map = new Map(entries);
      const rankIn = vocabularyOf(map);
      for (const asked of [...map.keys(), ...others]) {
        const expected = map.get(asked) ?? NO_RANK;
        expect(rankIn(asked)).toBe(expected);
        expect(rankIn(x + asked + y, x.length, x.length + asked.length)).toBe(expected);
      }
    }),
  );
});

test('says that it is full', () => {
  const vocabulary = createVocabulary(1, 5);
  expect(() => addEntry(vocabulary, 'nights', 0)).toThrow(RangeError);
  addEntry(vocabulary, 'night', 1);
  expect(() => addEntry(vocabulary, '', 2)).toThrow('of 1 entries and 5 code units is full');
  expect(rankOf(vocabulary, 'night', 0, 5)).toBe(1);
});
