import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { LineResult } from '@nightshift/shared/redis';
import { amountsOf } from '../../src/batches/result-writer.ts';

it('adds whole numbers up to the largest exact one, whatever usage holds', () => {
  const amount = fc.oneof(
    fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }),
    fc.maxSafeNat(),
    fc.nat(1000),
  );
  const usage = fc.record({
    inputTokens: amount,
    cachedInputTokens: amount,
    outputTokens: amount,
    reasoningTokens: amount,
    totalTokens: amount,
  });
  const results = fc.array(fc.record({ usage: fc.option(usage), costUsd: fc.option(amount) }));
  fc.assert(
    fc.property(results, (given) => {
      for (const sum of Object.values(amountsOf(given as LineResult[]))) {
        expect(Number.isSafeInteger(sum) && sum > 0).toBe(true);
      }
    }),
  );
});

it('counts answers without a price', () => {
  const usage = {
    inputTokens: 3,
    cachedInputTokens: 0,
    outputTokens: 4.5,
    reasoningTokens: 0,
    totalTokens: 8,
  };
  expect(
    amountsOf([
      { usage, costUsd: null },
      { usage, costUsd: 0.25 },
      { usage: null, costUsd: null },
    ] as unknown as LineResult[]),
  ).toEqual({
    input_tokens: 6,
    output_tokens: 10,
    total_tokens: 16,
    unpriced: 1,
    cost_nanodollars: 250_000_000,
  });
});
