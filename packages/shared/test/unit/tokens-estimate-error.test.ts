import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  correct,
  createEstimateError,
  inputError,
  inputRatio,
  learn,
  type EstimateError,
} from '../../src/tokens/index.ts';

const estimate = { inputTokens: 1000, maxOutputTokens: null, choices: 2 };
const prompt = fc.integer({ min: 20, max: 20_000 });

function learnAll(calls: readonly Parameters<typeof learn>[1][]): EstimateError {
  return calls.reduce(learn, createEstimateError());
}

describe('before anything is learnt', () => {
  test('an estimate stands, and an answer without limit is expected to be of some length', () => {
    const state = createEstimateError();
    expect(correct(state, estimate)).toEqual({ inputTokens: 1000, outputTokens: 1000 });
    expect(correct(state, { ...estimate, maxOutputTokens: 64 }).outputTokens).toBe(64);
    expect(inputRatio(state)).toBe(1);
    expect(inputError(state)).toBeNull();
  });
});

describe('learning', () => {
  test('comes to what the provider counts, whatever it thought before', () => {
    // Long enough that even a few large prompts of before have faded beside many small ones.
    const sizes = fc.array(prompt, { minLength: 1200, maxLength: 1200 });
    const ratio = fc.double({ min: 0.3, max: 3.8, noNaN: true });
    fc.assert(
      fc.property(sizes, ratio, ratio, (estimates, before, now) => {
        const calls = estimates.map((estimatedInput, index) => ({
          estimatedInput,
          actualInput: Math.round(estimatedInput * (index < 50 ? before : now)),
          actualOutput: index < 50 ? 90 : 300,
          choices: 1,
        }));
        const state = learnAll(calls);
        expect(Math.abs(inputRatio(state) / now - 1)).toBeLessThan(0.05);
        const { inputTokens, outputTokens } = correct(state, estimate);
        expect(Math.abs(inputTokens / (1000 * now) - 1)).toBeLessThan(0.06);
        expect(outputTokens).toBeGreaterThan(2 * 290);
        expect(outputTokens).toBeLessThanOrEqual(2 * 300 + 1);
      }),
      { numRuns: 20 },
    );
  });

  test('tells the error that is left after correction', () => {
    const calls = Array.from({ length: 500 }, (_, index) => ({
      estimatedInput: 1000,
      actualInput: index % 2 === 0 ? 1800 : 2200,
      actualOutput: null,
      choices: 1,
    }));
    expect(inputError(learnAll(calls))).toBeCloseTo(0.1, 2);
    expect(learnAll(calls).count).toBe(500);
  });

  test('an answer of several choices is learnt for each', () => {
    const call = { estimatedInput: 10, actualInput: 10, actualOutput: 400, choices: 4 };
    expect(correct(learnAll([call, call]), estimate).outputTokens).toBe(200);
  });

  test('an answer that the request limited says nothing of those without', () => {
    const call = { estimatedInput: 10, actualInput: 10, actualOutput: null, choices: 1 };
    expect(correct(learnAll([call]), estimate).outputTokens).toBe(1000);
  });

  test('no count of a provider takes the ratio beyond a quarter or four times', () => {
    const call = { estimatedInput: 10, actualOutput: null, choices: 1 };
    expect(inputRatio(learnAll([{ ...call, actualInput: 1_000_000 }]))).toBe(4);
    expect(inputRatio(learnAll([{ ...call, actualInput: 0 }]))).toBe(0.25);
  });

  test('whatever comes, the state is plain numbers and corrections are whole numbers', () => {
    const any = fc.oneof(fc.double(), fc.maxSafeInteger(), fc.constant(0));
    const calls = fc.array(
      fc.record({
        estimatedInput: any,
        actualInput: any,
        actualOutput: fc.option(any),
        choices: any,
      }),
      { maxLength: 30 },
    );
    const endless = { estimatedInput: 1, actualInput: 1, actualOutput: 1, choices: Infinity };
    fc.assert(
      fc.property(calls, fc.maxSafeInteger().map(Math.abs), (observed, inputTokens) => {
        const state = learnAll(observed);
        expect(JSON.parse(JSON.stringify(state))).toEqual(state);
        const corrected = correct(state, { inputTokens, maxOutputTokens: null, choices: 1 });
        for (const number of Object.values(corrected)) {
          expect(Number.isSafeInteger(number) && number >= 0).toBe(true);
        }
        expect(inputRatio(state)).toBeGreaterThanOrEqual(0.25);
        expect(inputRatio(state)).toBeLessThanOrEqual(4);
      }),
      { examples: [[[endless], 1]] },
    );
  });
});
