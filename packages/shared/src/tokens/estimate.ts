import type { Endpoint } from '../job/job.ts';
import { chargedInput } from './charged-input.ts';
import { countTokens } from './count-tokens.ts';
import { encodingNow, loadEncoding, type Encoding } from './encoding.ts';
import { encodingOf } from './model-encoding.ts';
import { outputLimit } from './output-limit.ts';
import { ruleTokens } from './rule.ts';
import { sampleTexts } from './sample-texts.ts';

/** What a request will be charged, as far as it can be known before the call. Whole numbers, never negative. */
export interface TokenEstimate {
  /** Prompt tokens, estimated. */
  inputTokens: number;
  /**
   * Most tokens that the answer may have, over all choices, or null where the request does not say. 0 for endpoints that
   * generate nothing.
   */
  maxOutputTokens: number | null;
  /** Answers asked for (`n`, `best_of`, of each prompt of a list). At least 1. */
  choices: number;
  /** How `inputTokens` was counted. */
  method: 'tokenizer' | 'rule';
}

/** Most characters of a request that the rule reads. */
const RULE_CHARS = 8192;
/**
 * Most characters of a request that the tokenizer reads, and about how many tokens it finds in them: it costs by
 * tokens in some scripts and by characters in others. With both, no request takes it much more than 0.1 ms.
 */
const TOKENIZER_CHARS = 1200;
const TOKENIZER_TOKENS = 400;

/**
 * Estimates what a request will be charged, without waiting for anything: a tokenizer is loaded in the background when
 * its first model comes by, and until it is there the rule is used. Takes any body, and never throws.
 */
export function estimateTokens(
  endpoint: Endpoint,
  model: string,
  body: Readonly<Record<string, unknown>>,
): TokenEstimate {
  const { texts, fixedTokens } = chargedInput(endpoint, body);
  const name = encodingOf(model);
  const encoding = name === null ? undefined : encodingNow(name);
  return {
    inputTokens: fixedTokens + tokensOf(texts, encoding),
    ...outputLimit(endpoint, body),
    method: encoding === undefined ? 'rule' : 'tokenizer',
  };
}

/**
 * Loads the tokenizer of a model ahead of its first request. False where there is none: the model's encoding is not
 * known, or its table is not installed.
 */
export async function loadTokenizer(model: string): Promise<boolean> {
  const name = encodingOf(model);
  return name !== null && loadEncoding(name);
}

function tokensOf(texts: readonly string[], encoding: Encoding | undefined): number {
  const totalChars = charsOf(texts);
  if (totalChars === 0) return 0;
  if (encoding !== undefined && totalChars <= TOKENIZER_TOKENS) return exactly(texts, encoding);
  const read = sampleTexts(texts, totalChars, RULE_CHARS);
  const byRule = (sum(read, ruleTokens) * totalChars) / charsOf(read);
  if (encoding === undefined) return Math.ceil(byRule);
  const chars = Math.min(TOKENIZER_CHARS, (totalChars * TOKENIZER_TOKENS) / byRule);
  const sample = sampleTexts(texts, totalChars, chars);
  const counted = exactly(sample, encoding);
  if (sample === texts) return counted;
  // The rule has read more of the request, the tokenizer reads better: the one is corrected by the other.
  return Math.ceil((byRule * counted) / sum(sample, ruleTokens));
}

function exactly(texts: readonly string[], encoding: Encoding): number {
  return sum(texts, (text) => countTokens(encoding, text));
}

function charsOf(texts: readonly string[]): number {
  return sum(texts, (text) => text.length);
}

function sum(texts: readonly string[], measure: (text: string) => number): number {
  let total = 0;
  for (const text of texts) total += measure(text);
  return total;
}
