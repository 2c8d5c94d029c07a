import { eventually } from '@nightshift/local';
import { expect, test, vi } from 'vitest';
import { estimateTokens, loadTokenizer } from '../../src/tokens/index.ts';

vi.mock('js-tiktoken/ranks/cl100k_base', () => {
  throw new Error('not installed');
});

const chat = { messages: [{ role: 'user', content: 'Name three rivers that flow north.' }] };
const methodFor = (model: string): string =>
  estimateTokens('/v1/chat/completions', model, chat).method;

test('nothing is loaded for a model whose encoding is not known', async () => {
  expect(methodFor('claude-sonnet-5')).toBe('rule');
  expect(await loadTokenizer('claude-sonnet-5')).toBe(false);
});

test('the first request of a known model is not kept waiting, and later ones have the tokenizer', async () => {
  expect(methodFor('gpt-4o-mini')).toBe('rule');
  await eventually(() => methodFor('gpt-4o-mini') === 'tokenizer');
  expect(await loadTokenizer('gpt-4o')).toBe(true);
  expect(methodFor('ft:gpt-4.1-2025-04-14:acme::8Xyz')).toBe('tokenizer');
});

test('a table that cannot be loaded leaves the rule', async () => {
  expect(methodFor('gpt-4')).toBe('rule');
  expect(await loadTokenizer('gpt-4')).toBe(false);
  expect(methodFor('gpt-4')).toBe('rule');
});
