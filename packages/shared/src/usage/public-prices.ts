import type { Price, PriceTable } from './price.ts';

/**
 * The day for which these list prices are known to hold. Prices change, and contracts differ: what the configuration
 * file says under `prices` comes first.
 */
export const publicPricesDate = '2026-07-28';

const price = (input: number, cachedInput: number | null, output: number): Price =>
  cachedInput === null ? { input, output } : { input, cachedInput, output };

/**
 * Standard tier, short context: discounts for batches and surcharges above 200,000 or 272,000 tokens of input are not
 * in it. Taken from LiteLLM's `model_prices_and_context_window.json`, simonw/llm-prices, pydantic/genai-prices,
 * models.dev, GitHub's table of model prices and a review against the providers' pages of 2026-07-28. Left out is
 * every model on whose price these disagree (GPT-5.6 Terra and Luna, Grok 4.5): unknown is better than wrong.
 */
const openai: PriceTable = {
  // Listed after the date above, with the price of their first listing.
  'gpt-6-astra': price(10, 1, 50),
  'gpt-5.6-sol': price(5, 0.5, 30),
  'gpt-5.5': price(5, 0.5, 30),
  'gpt-5.5-pro': price(30, null, 180),
  'gpt-5.4': price(2.5, 0.25, 15),
  'gpt-5.4-pro': price(30, null, 180),
  'gpt-5.4-mini': price(0.75, 0.075, 4.5),
  'gpt-5.4-nano': price(0.2, 0.02, 1.25),
  'gpt-5.3-codex': price(1.75, 0.175, 14),
  'gpt-5.2': price(1.75, 0.175, 14),
  'gpt-5.2-codex': price(1.75, 0.175, 14),
  'gpt-5.2-pro': price(21, null, 168),
  'gpt-5.1': price(1.25, 0.125, 10),
  'gpt-5.1-chat-latest': price(1.25, 0.125, 10),
  'gpt-5.1-codex': price(1.25, 0.125, 10),
  'gpt-5.1-codex-mini': price(0.25, 0.025, 2),
  'gpt-5': price(1.25, 0.125, 10),
  'gpt-5-chat-latest': price(1.25, 0.125, 10),
  'gpt-5-codex': price(1.25, 0.125, 10),
  'gpt-5-pro': price(15, null, 120),
  'gpt-5-mini': price(0.25, 0.025, 2),
  'gpt-5-nano': price(0.05, 0.005, 0.4),
  'gpt-4.1': price(2, 0.5, 8),
  'gpt-4.1-mini': price(0.4, 0.1, 1.6),
  'gpt-4.1-nano': price(0.1, 0.025, 0.4),
  'gpt-4o': price(2.5, 1.25, 10),
  'gpt-4o-2024-05-13': price(5, null, 15),
  'gpt-4o-mini': price(0.15, 0.075, 0.6),
  'gpt-4-turbo': price(10, null, 30),
  'gpt-4': price(30, null, 60),
  'gpt-3.5-turbo': price(0.5, null, 1.5),
  'gpt-3.5-turbo-instruct': price(1.5, null, 2),
  o1: price(15, 7.5, 60),
  'o1-pro': price(150, null, 600),
  'o1-mini': price(1.1, 0.55, 4.4),
  o3: price(2, 0.5, 8),
  'o3-pro': price(20, null, 80),
  'o3-mini': price(1.1, 0.55, 4.4),
  'o3-deep-research': price(10, 2.5, 40),
  'o4-mini': price(1.1, 0.275, 4.4),
  'o4-mini-deep-research': price(2, 0.5, 8),
  'text-embedding-3-large': price(0.13, null, 0),
  'text-embedding-3-small': price(0.02, null, 0),
  'text-embedding-ada-002': price(0.1, null, 0),
  'omni-moderation*': price(0, null, 0),
  'text-moderation*': price(0, null, 0),
};

const anthropic: PriceTable = {
  // Listed after the date above, with the price of their first listing.
  'claude-fable-5-1': price(10, 0.25, 50),
  'claude-opus-5-5': price(4, 0.2, 20),
  'claude-sonnet-5-5': price(2, 0.2, 10),
  'claude-fable-5': price(10, 1, 50),
  'claude-opus-5': price(5, 0.5, 25),
  'claude-sonnet-5': price(2, 0.2, 10),
  'claude-opus-4-8': price(5, 0.5, 25),
  'claude-opus-4-7': price(5, 0.5, 25),
  'claude-opus-4-6': price(5, 0.5, 25),
  'claude-opus-4-5': price(5, 0.5, 25),
  'claude-opus-4-1': price(15, 1.5, 75),
  'claude-opus-4': price(15, 1.5, 75),
  'claude-sonnet-4-6': price(3, 0.3, 15),
  'claude-sonnet-4-5': price(3, 0.3, 15),
  'claude-sonnet-4': price(3, 0.3, 15),
  'claude-haiku-4-5': price(1, 0.1, 5),
};

const google: PriceTable = {
  'gemini-3.6-flash': price(1.5, 0.15, 7.5),
  'gemini-3.5-flash': price(1.5, 0.15, 9),
  'gemini-3.5-flash-lite': price(0.3, 0.03, 2.5),
  'gemini-3.1-pro-preview': price(2, 0.2, 12),
  'gemini-3.1-flash-lite-preview': price(0.25, 0.025, 1.5),
  'gemini-3-flash-preview': price(0.5, null, 3),
  'gemini-2.5-pro': price(1.25, 0.125, 10),
  'gemini-2.5-flash': price(0.3, 0.03, 2.5),
  'gemini-2.5-flash-lite': price(0.1, 0.01, 0.4),
  'gemini-embedding-001': price(0.15, null, 0),
};

const others: PriceTable = {
  'mistral-large-2512': price(0.5, null, 1.5),
  'mistral-medium-2505': price(0.4, null, 2),
  'mistral-small-latest': price(0.1, null, 0.3),
  'magistral-medium-latest': price(2, null, 5),
  'codestral-latest': price(0.3, null, 0.9),
  'deepseek-v4-flash': price(0.14, 0.0028, 0.28),
  'deepseek-v4-pro': price(0.435, 0.003625, 0.87),
  'grok-4.3': price(1.25, 0.2, 2.5),
  // Open models, as Groq serves them.
  'llama-3.3-70b-versatile': price(0.59, null, 0.79),
  'llama-3.1-8b-instant': price(0.05, null, 0.08),
  'meta-llama/llama-4-maverick-17b-128e-instruct': price(0.2, null, 0.6),
  'meta-llama/llama-4-scout-17b-16e-instruct': price(0.11, null, 0.34),
  'moonshotai/kimi-k2-instruct-0905': price(1, 0.5, 3),
  'openai/gpt-oss-120b': price(0.15, 0.075, 0.6),
  'openai/gpt-oss-20b': price(0.075, 0.0375, 0.3),
  'qwen/qwen3-32b': price(0.29, null, 0.59),
};

/** Anthropic's dated names end in eight digits, `claude-opus-4-5-20251101`. */
const anthropicDated: PriceTable = Object.fromEntries(
  Object.entries(anthropic).map(([model, listed]) => [`${model}-20*`, listed]),
);

export const publicPrices: PriceTable = {
  ...openai,
  ...anthropic,
  ...anthropicDated,
  ...google,
  ...others,
};
