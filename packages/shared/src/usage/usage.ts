/** Tokens of one or more calls, whole numbers from 0 to 2^53 − 1. `totalTokens` is what the provider says, or the sum of input and output. */
export interface Usage {
  inputTokens: number;
  cachedInputTokens: number;
  outputTokens: number;
  reasoningTokens: number;
  totalTokens: number;
}

/**
 * Reads usage from a provider's answer: the chat and completions form (`prompt_tokens`, `completion_tokens`), the
 * responses form (`input_tokens`, `output_tokens`), embeddings (`prompt_tokens` alone). Null when it tells none.
 */
export function usageFromAnswer(answer: unknown): Usage | null {
  const usage = record(record(answer)?.['usage']);
  if (usage === undefined) return null;
  const inputTokens = count(usage['input_tokens']) ?? count(usage['prompt_tokens']);
  const outputTokens = count(usage['output_tokens']) ?? count(usage['completion_tokens']) ?? 0;
  if (inputTokens === undefined) return null;
  const inputDetails =
    record(usage['input_tokens_details']) ?? record(usage['prompt_tokens_details']);
  const outputDetails =
    record(usage['output_tokens_details']) ?? record(usage['completion_tokens_details']);
  return {
    inputTokens,
    cachedInputTokens: count(inputDetails?.['cached_tokens']) ?? 0,
    outputTokens,
    reasoningTokens: count(outputDetails?.['reasoning_tokens']) ?? 0,
    totalTokens:
      count(usage['total_tokens']) ?? Math.min(Number.MAX_SAFE_INTEGER, inputTokens + outputTokens),
  };
}

function record(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null
    ? (value as Record<string, unknown>)
    : undefined;
}

/**
 * A count of tokens, from 0 to 2^53 − 1. OpenRouter weighs tokens by their cost and reports fractions: they are rounded up. A value
 * that is no count is left out.
 */
function count(value: unknown): number | undefined {
  if (typeof value !== 'number' || !(value >= 0)) return undefined;
  const whole = Math.ceil(value);
  return Number.isSafeInteger(whole) ? whole + 0 : undefined;
}
