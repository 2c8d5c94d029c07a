import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { classify } from '../../src/attempt/classify.ts';
import type { ProviderAnswer } from '../../src/provider/index.ts';

function answered(
  status: number,
  body: unknown = {},
  headers: Record<string, string> = {},
): ProviderAnswer {
  return {
    kind: 'answered',
    status,
    headers: new Headers(headers),
    body: typeof body === 'string' ? body : JSON.stringify(body),
  };
}
const outcomeOf = (answer: ProviderAnswer) => classify(answer, null, 0);
const errorBody = (code: string, message = 'no') => ({
  error: { message, code, type: code, param: null },
});

describe('classify, by the table of the contract', () => {
  it.each([
    ['2xx, well formed', answered(200, { choices: [] }), 'succeeded'],
    [
      'a responses object with a null error',
      answered(200, { output: [], error: null }),
      'succeeded',
    ],
    [
      'a failed response is still the answer',
      answered(200, { output: [], error: { message: 'x' } }),
      'succeeded',
    ],
    ['429', answered(429, errorBody('rate_limit_exceeded')), 'rate_limited'],
    ['429 without a body', answered(429, ''), 'rate_limited'],
    [
      '429 for a request above the whole limit',
      answered(429, {
        error: { message: 'Request too large for m: Limit 100, Requested 200.', code: 'x' },
      }),
      'rejected',
    ],
    ['429 insufficient_quota', answered(429, errorBody('insufficient_quota')), 'lane_refused'],
    ['429 billing_not_active', answered(429, errorBody('billing_not_active')), 'lane_refused'],
    ['402', answered(402, ''), 'lane_refused'],
    ['400 hard limit', answered(400, errorBody('billing_hard_limit_reached')), 'lane_refused'],
    [
      '400 in words alone',
      answered(400, {
        error: { message: 'Your credit balance is too low to access the Anthropic API.' },
      }),
      'lane_refused',
    ],
    ['401', answered(401, errorBody('invalid_api_key')), 'lane_refused'],
    ['403', answered(403, 'forbidden'), 'lane_refused'],
    ...[408, 409, 424, 425, 498, 499, 500, 502, 503, 504, 520, 521, 524, 527, 529].map(
      (status) => [String(status), answered(status), 'retryable'] as const,
    ),
    ...[400, 404, 405, 413, 415, 422].map(
      (status) => [String(status), answered(status), 'rejected'] as const,
    ),
    ['a redirect', answered(302, ''), 'retryable'],
    ['200 with HTML', answered(200, '<html></html>'), 'retryable'],
    ['200, truncated', answered(200, '{"choices":[{"mess'), 'retryable'],
    ['200, empty', answered(200, ''), 'retryable'],
    ['200 with a bare error', answered(200, { error: { message: 'overloaded' } }), 'retryable'],
    ['200 with an array', answered(200, []), 'retryable'],
    [
      'no connection',
      { kind: 'unreachable', message: 'ECONNREFUSED', sent: false } as const,
      'retryable',
    ],
    ['an answer without end', { kind: 'too_large', message: 'too long' } as const, 'retryable'],
  ] as const)('%s', (_name, answer, expected) => {
    expect(outcomeOf(answer).kind).toBe(expected);
  });

  it('tells a time-out from a cancel and from a hand-off', () => {
    expect(classify({ kind: 'aborted' }, 'timed_out', 0)).toMatchObject({
      kind: 'retryable',
      code: 'request_timeout',
    });
    expect(classify({ kind: 'aborted' }, 'withdrawn', 0)).toEqual({
      kind: 'aborted',
      reason: 'withdrawn',
    });
    expect(classify({ kind: 'aborted' }, 'handed_off', 0)).toEqual({
      kind: 'aborted',
      reason: 'handed_off',
    });
  });

  it('keeps the answer as the provider wrote it', () => {
    const body = '{ "choices": [], "n": 12345678901234567890, "n": 1.0 }';
    const outcome = outcomeOf(answered(200, body, { 'x-request-id': 'req_1' }));
    expect(outcome).toMatchObject({ response: { statusCode: 200, requestId: 'req_1', body } });
  });

  it('has an outcome for every status and every body', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 200, max: 599 }),
        fc.oneof(fc.string(), fc.json()),
        (status, body) => {
          expect(() => outcomeOf(answered(status, body))).not.toThrow();
        },
      ),
    );
  });
});
