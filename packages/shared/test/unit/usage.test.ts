import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  costUsd,
  findPrice,
  publicPrices,
  publicPricesDate,
  usageFromAnswer,
} from '../../src/usage/index.ts';

const tokens = fc.nat({ max: 10_000_000 });

describe('usageFromAnswer', () => {
  test('the chat form', () => {
    fc.assert(
      fc.property(tokens, tokens, tokens, tokens, (input, cached, output, reasoning) => {
        const answer = {
          usage: {
            prompt_tokens: input,
            completion_tokens: output,
            total_tokens: input + output + 7,
            prompt_tokens_details: { cached_tokens: cached, audio_tokens: 0 },
            completion_tokens_details: { reasoning_tokens: reasoning },
          },
        };
        expect(usageFromAnswer(answer)).toEqual({
          inputTokens: input,
          cachedInputTokens: cached,
          outputTokens: output,
          reasoningTokens: reasoning,
          totalTokens: input + output + 7,
        });
      }),
    );
  });

  test('the responses form says the same under its own names', () => {
    fc.assert(
      fc.property(tokens, tokens, tokens, tokens, (input, cached, output, reasoning) => {
        const responses = usageFromAnswer({
          usage: {
            input_tokens: input,
            output_tokens: output,
            input_tokens_details: { cached_tokens: cached },
            output_tokens_details: { reasoning_tokens: reasoning },
          },
        });
        const chat = usageFromAnswer({
          usage: {
            prompt_tokens: input,
            completion_tokens: output,
            prompt_tokens_details: { cached_tokens: cached },
            completion_tokens_details: { reasoning_tokens: reasoning },
          },
        });
        expect(responses).toEqual(chat);
        expect(responses?.totalTokens).toBe(input + output);
      }),
    );
  });

  test('embeddings: input alone', () => {
    expect(usageFromAnswer({ usage: { prompt_tokens: 8, total_tokens: 8 } })).toEqual({
      inputTokens: 8,
      cachedInputTokens: 0,
      outputTokens: 0,
      reasoningTokens: 0,
      totalTokens: 8,
    });
  });

  test('details that are null or missing count as none', () => {
    const usage = { input_tokens: 1, output_tokens: 2, input_tokens_details: null };
    expect(usageFromAnswer({ usage })).toMatchObject({ cachedInputTokens: 0, totalTokens: 3 });
  });

  test.each([null, undefined, 'text', 5, [], {}, { usage: null }, { usage: [] }, { usage: {} }])(
    'none in %j',
    (answer) => {
      expect(usageFromAnswer(answer)).toBeNull();
    },
  );

  test('fractions are rounded up, and what is no count is left out', () => {
    const read = (outputTokens: unknown) =>
      usageFromAnswer({ usage: { prompt_tokens: 1, completion_tokens: outputTokens } });
    expect(read(14_417.92)).toMatchObject({ outputTokens: 14_418, totalTokens: 14_419 });
    for (const odd of [-1, 2 ** 53, 1e300, Infinity, NaN, '12', null]) {
      expect(read(odd)).toMatchObject({ outputTokens: 0, totalTokens: 1 });
    }
    const most = Number.MAX_SAFE_INTEGER;
    expect(read(most)).toMatchObject({ outputTokens: most, totalTokens: most });
  });

  test('whatever an answer holds, the numbers are safe whole numbers and not negative', () => {
    const huge = [-1, Infinity, NaN, Number.MAX_VALUE, 2 ** 53, '12'];
    const odd = fc.oneof(fc.jsonValue(), fc.double(), fc.constantFrom(...huge));
    const names = [
      ...['prompt_tokens', 'completion_tokens', 'input_tokens', 'output_tokens', 'total_tokens'],
      ...['prompt_tokens_details', 'input_tokens_details', 'output_tokens_details'],
    ];
    const usage = fc.dictionary(fc.constantFrom(...names), odd);
    fc.assert(
      fc.property(usage, (given) => {
        const read = usageFromAnswer({ usage: given });
        for (const value of Object.values(read ?? {})) {
          expect(Number.isSafeInteger(value) && value >= 0 && !Object.is(value, -0)).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('findPrice', () => {
  const table = {
    'gpt-4o': { input: 1, output: 1 },
    'gpt-4o-2024-05-13': { input: 2, output: 2 },
    'gpt-*': { input: 3, output: 3 },
    'gpt-4o-mini*': { input: 4, output: 4 },
  };

  test.each([
    ['gpt-4o', 1],
    ['gpt-4o-2024-08-06', 1],
    ['gpt-4o-2024-05-13', 2],
    ['gpt-4o-mini', 4],
    ['gpt-4o-mini-2024-07-18', 4],
    ['gpt-5', 3],
    ['gpt-4o-latest', 3],
  ])('%s', (model, input) => {
    expect(findPrice(table, model)?.input).toBe(input);
  });

  test.each(['claude', 'xgpt-4o', '', 'toString', '__proto__', 'constructor'])(
    'none for %j',
    (model) => {
      expect(findPrice(table, model)).toBeUndefined();
    },
  );
});

describe('costUsd', () => {
  const usage = {
    inputTokens: 1000,
    cachedInputTokens: 400,
    outputTokens: 200,
    reasoningTokens: 150,
    totalTokens: 1200,
  };

  test('fresh, cached and output tokens each at their price; reasoning is part of output', () => {
    expect(costUsd({ input: 2, cachedInput: 0.5, output: 10 }, usage)).toBe(0.0034);
  });

  test('a cached token costs as a fresh one where no price is set for it', () => {
    expect(costUsd({ input: 2, output: 10 }, usage)).toBe(0.004);
  });

  test('unknown is null and free is 0', () => {
    expect(costUsd(undefined, usage)).toBeNull();
    expect(costUsd({ input: 2, output: 10 }, null)).toBeNull();
    expect(costUsd({ input: 0, output: 0 }, usage)).toBe(0);
  });

  test('never negative, and never less for more tokens', () => {
    const price = fc.record({
      input: fc.double({ min: 0, max: 1000, noNaN: true }),
      cachedInput: fc.option(fc.double({ min: 0, max: 1000, noNaN: true }), { nil: undefined }),
      output: fc.double({ min: 0, max: 1000, noNaN: true }),
    });
    fc.assert(
      fc.property(price, tokens, tokens, tokens, (own, input, cached, output) => {
        const of = (outputTokens: number): number =>
          costUsd(own, { ...usage, inputTokens: input, cachedInputTokens: cached, outputTokens }) ??
          -1;
        expect(of(output)).toBeGreaterThanOrEqual(0);
        expect(of(output + 1000)).toBeGreaterThanOrEqual(of(output));
      }),
    );
  });
});

describe('public prices', () => {
  test('carry a date and plausible numbers', () => {
    expect(publicPricesDate).toMatch(/^20\d\d-\d\d-\d\d$/);
    expect(Object.keys(publicPrices).length).toBeGreaterThan(60);
    for (const { input, cachedInput, output } of Object.values(publicPrices)) {
      expect(input).toBeLessThanOrEqual(150);
      expect(output).toBeLessThanOrEqual(600);
      expect(cachedInput ?? 0).toBeLessThanOrEqual(input);
      expect(output === 0 || output >= input).toBe(true);
    }
  });

  test('are found under the dated names that providers use', () => {
    const input = (model: string): number | undefined => findPrice(publicPrices, model)?.input;
    expect(input('gpt-5-2025-08-07')).toBe(input('gpt-5'));
    expect(input('gpt-4o-2024-05-13')).toBe(5);
    expect(input('claude-opus-4-20250514')).toBe(15);
    expect(input('claude-opus-4-5-20251101')).toBe(5);
    expect(input('omni-moderation-latest')).toBe(0);
    expect(input('a-model-of-your-own')).toBeUndefined();
  });
});
