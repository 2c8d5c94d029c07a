import { readFileSync } from 'node:fs';
import { Tiktoken } from 'js-tiktoken/lite';
import cl100k from 'js-tiktoken/ranks/cl100k_base';
import o200k from 'js-tiktoken/ranks/o200k_base';
import { countTokens } from '../../src/tokens/count-tokens.ts';
import { encodingNow, type Encoding } from '../../src/tokens/encoding.ts';
import type { EncodingName } from '../../src/tokens/model-encoding.ts';
import { ruleTokens } from '../../src/tokens/rule.ts';

/** Texts of one kind, two of each, written for these tests. The rule's rates were fitted to all of them. */
interface KindOfText {
  kind: string;
  first: string;
  second: string;
}

const file = new URL('./token-corpus.json', import.meta.url);
const corpus = JSON.parse(readFileSync(file, 'utf8')) as readonly KindOfText[];

const tables = { o200k_base: o200k, cl100k_base: cl100k };

/** OpenAI's own algorithm, byte by byte: slow, and what ours is measured against. */
const originals: Record<EncodingName, Tiktoken> = {
  o200k_base: new Tiktoken(tables.o200k_base),
  cl100k_base: new Tiktoken(tables.cl100k_base),
};

export const trueTokens = (name: EncodingName, text: string): number =>
  originals[name].encode(text, [], []).length;

/** The published ranks of all entries that are whole characters: the table is one line, from rank 0. */
export function originalRanks(name: EncodingName): Map<string, number> {
  const [, first, ...entries] = tables[name].bpe_ranks.split(' ');
  const ranks = entries.map(
    (entry, at) => [Buffer.from(entry, 'base64').toString(), Number(first) + at] as const,
  );
  return new Map(ranks.filter(([text]) => !text.includes('\uFFFD')));
}

export function loadedEncoding(name: EncodingName): Encoding {
  const encoding = encodingNow(name);
  if (encoding === undefined) throw new Error(`${name} is not loaded yet`);
  return encoding;
}

export interface Accuracy {
  kind: string;
  /** Estimated over true tokens of both texts. */
  tokenizer: number;
  rule: number;
  bytesOver4: number;
  tokenizerCl100k: number;
  ruleCl100k: number;
}

export function measureAccuracy(): Accuracy[] {
  return corpus.map(({ kind, first, second }) => {
    const over = (name: EncodingName, count: (text: string) => number): number =>
      (count(first) + count(second)) / (trueTokens(name, first) + trueTokens(name, second));
    const counted = (name: EncodingName) => (text: string) =>
      countTokens(loadedEncoding(name), text);
    return {
      kind,
      tokenizer: over('o200k_base', counted('o200k_base')),
      rule: over('o200k_base', ruleTokens),
      bytesOver4: over('o200k_base', (text) => Buffer.byteLength(text) / 4),
      tokenizerCl100k: over('cl100k_base', counted('cl100k_base')),
      ruleCl100k: over('cl100k_base', ruleTokens),
    };
  });
}

/** The row of `docs/token-estimates.md`. */
export function accuracyRow(accuracy: Accuracy): string {
  const { kind, tokenizer, rule, bytesOver4, tokenizerCl100k, ruleCl100k } = accuracy;
  const cells = [tokenizer, rule, bytesOver4, tokenizerCl100k, ruleCl100k];
  return `| ${kind} | ${cells.map((cell) => cell.toFixed(2)).join(' | ')} |`;
}
