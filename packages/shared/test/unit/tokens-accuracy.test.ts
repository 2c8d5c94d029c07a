import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { countTokens } from '../../src/tokens/count-tokens.ts';
import { loadEncoding } from '../../src/tokens/encoding.ts';
import { ruleTokens } from '../../src/tokens/rule.ts';
import { NO_RANK, rankOf } from '../../src/tokens/vocabulary.ts';
import {
  accuracyRow,
  loadedEncoding,
  measureAccuracy,
  originalRanks,
  trueTokens,
} from '../support/token-corpus.ts';

const page = readFileSync(new URL('../../../../docs/token-estimates.md', import.meta.url), 'utf8');

beforeAll(async () => {
  await Promise.all([loadEncoding('o200k_base'), loadEncoding('cl100k_base')]);
});

const off = (ratio: number): number => Math.abs(ratio - 1);
const mean = (values: number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

describe('on the corpus', () => {
  test('the tokenizer counts as the original does, but for characters that its vocabulary lacks', () => {
    const measured = measureAccuracy();
    const common = measured.filter(({ kind }) => kind !== 'chat with emoji');
    expect(Math.max(...common.map(({ tokenizer }) => off(tokenizer)))).toBeLessThan(0.02);
    expect(Math.max(...measured.map(({ tokenizer }) => off(tokenizer)))).toBeLessThan(0.11);
    expect(Math.max(...measured.map((row) => off(row.tokenizerCl100k)))).toBeLessThan(0.12);
  });

  test('the rule is within a fifth for what people send, and better than bytes over four', () => {
    const measured = measureAccuracy();
    const sent = measured.filter(({ kind }) => kind !== 'base64');
    expect(Math.max(...sent.map(({ rule }) => off(rule)))).toBeLessThan(0.2);
    expect(mean(sent.map(({ rule }) => off(rule)))).toBeLessThan(0.06);
    expect(mean(sent.map(({ bytesOver4 }) => off(bytesOver4)))).toBeGreaterThan(0.2);
  });

  test('the page says what was measured', () => {
    for (const accuracy of measureAccuracy()) expect(page).toContain(accuracyRow(accuracy));
  });
});

test.each(['o200k_base', 'cl100k_base'] as const)('%s cuts any text without a rest', (name) => {
  const { pieces } = loadedEncoding(name);
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
      expect((text.match(pieces) ?? []).join('')).toBe(text);
    }),
  );
  for (const text of ['\uD800', 'a\uDC00\uD800 ', ' \r\n\t ', "it's", "'s", '\u0000\uFFFF']) {
    expect((text.match(pieces) ?? []).join('')).toBe(text);
  }
});

test.each(['o200k_base', 'cl100k_base'] as const)('every text of %s has its own rank', (name) => {
  const { vocabulary } = loadedEncoding(name);
  const ranks = originalRanks(name);
  expect(vocabulary.size).toBe(ranks.size);
  const wrong = [...ranks].filter(
    ([text, rank]) => rankOf(vocabulary, ` ${text}`, 1, text.length + 1) !== rank,
  );
  expect(wrong).toEqual([]);
  const absent = [...ranks.keys()]
    .map((text) => `${text}\u0001`)
    .filter((text) => !ranks.has(text));
  expect(absent.filter((text) => rankOf(vocabulary, text, 0, text.length) !== NO_RANK)).toEqual([]);
});

describe('countTokens', () => {
  test('is the original, exactly, for words of ASCII', () => {
    const word = fc.string({ unit: 'grapheme-ascii', maxLength: 20 });
    const words = fc.array(word, { maxLength: 12 }).map((list) => list.join(' '));
    fc.assert(
      fc.property(words, (text) => {
        // Longer pieces are cut, which may cost a token each.
        fc.pre(
          (text.match(loadedEncoding('o200k_base').pieces) ?? []).every((p) => p.length <= 24),
        );
        expect(countTokens(loadedEncoding('o200k_base'), text)).toBe(
          trueTokens('o200k_base', text),
        );
      }),
    );
  });

  test('takes any text, with at least a token and at most one for each byte', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1, maxLength: 300 }), (text) => {
        for (const name of ['o200k_base', 'cl100k_base'] as const) {
          const counted = countTokens(loadedEncoding(name), text);
          expect(counted).toBeGreaterThanOrEqual(1);
          expect(counted).toBeLessThanOrEqual(Buffer.byteLength(text));
        }
      }),
    );
  });

  test.each(['<|endoftext|>', 'a <|im_start|> b <|endofprompt|>', '\uD800', '\uDC00x', '\0'])(
    'takes %j for text',
    (text) => {
      expect(countTokens(loadedEncoding('o200k_base'), text)).toBeGreaterThanOrEqual(1);
    },
  );
});

describe('ruleTokens', () => {
  test('grows with the text and is nothing for no text', () => {
    expect(ruleTokens('')).toBe(0);
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1 }), (text) => {
        expect(ruleTokens(text)).toBeGreaterThan(0);
        expect(ruleTokens(`${text} and more`)).toBeGreaterThan(ruleTokens(text));
        expect(ruleTokens(text)).toBeLessThanOrEqual(text.length * 2);
      }),
    );
  });
});
