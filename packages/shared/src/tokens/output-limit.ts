import type { Endpoint } from '../job/job.ts';
import { listOf } from './unknown-json.ts';

/** What a request says about how much may be generated. */
export interface OutputLimit {
  maxOutputTokens: number | null;
  choices: number;
}

export function outputLimit(
  endpoint: Endpoint,
  body: Readonly<Record<string, unknown>>,
): OutputLimit {
  switch (endpoint) {
    case '/v1/chat/completions': {
      const each = count(body['max_completion_tokens']) ?? count(body['max_tokens']);
      return overAll(each, choicesOf(body['n']));
    }
    case '/v1/completions': {
      // Answers that `best_of` throws away are generated and charged all the same.
      const perPrompt = Math.max(choicesOf(body['n']), choicesOf(body['best_of']));
      return overAll(count(body['max_tokens']), bounded(perPrompt * promptsOf(body['prompt'])));
    }
    case '/v1/responses':
      return overAll(count(body['max_output_tokens']), 1);
    case '/v1/embeddings':
    case '/v1/moderations':
      return { maxOutputTokens: 0, choices: 1 };
  }
}

function overAll(each: number | undefined, choices: number): OutputLimit {
  return { maxOutputTokens: each === undefined ? null : bounded(each * choices), choices };
}

function choicesOf(value: unknown): number {
  return Math.max(1, count(value) ?? 1);
}

/** A list of token ids is one prompt. */
function promptsOf(prompt: unknown): number {
  const prompts = listOf(prompt);
  return typeof prompts[0] === 'number' ? 1 : Math.max(1, prompts.length);
}

/** What the provider would take for a number of tokens. Anything else it refuses, and then nothing is charged. */
function count(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

function bounded(value: number): number {
  return Math.min(value, Number.MAX_SAFE_INTEGER);
}
