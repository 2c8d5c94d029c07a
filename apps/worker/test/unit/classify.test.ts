import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { classify } from '../../src/attempt/classify.ts';
import { decide } from '../../src/attempt/decide.ts';
import type { ProviderAnswer } from '../../src/provider/index.ts';

const policy = { baseMs: 2000, capMs: 60_000 };
const facts = { charged: 1, maxAttempts: 8, elapsedMs: 10, random: 0.5 };

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
    ['401', answered(401, errorBody('invalid_api_key')), 'lane_refused'],
    ['403', answered(403, 'forbidden'), 'lane_refused'],
    ...[408, 409, 500, 502, 503, 504, 529].map(
      (status) => [String(status), answered(status), 'retryable'] as const,
    ),
    ...[400, 402, 404, 405, 413, 415, 422].map(
      (status) => [String(status), answered(status), 'rejected'] as const,
    ),
    ['a redirect', answered(302, ''), 'retryable'],
    ['200 with HTML', answered(200, '<html></html>'), 'retryable'],
    ['200, truncated', answered(200, '{"choices":[{"mess'), 'retryable'],
    ['200, empty', answered(200, ''), 'retryable'],
    ['200 with a bare error', answered(200, { error: { message: 'overloaded' } }), 'retryable'],
    ['200 with an array', answered(200, []), 'retryable'],
    ['no connection', { kind: 'unreachable', message: 'ECONNREFUSED' } as const, 'retryable'],
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

describe('decide', () => {
  const stepOf = (answer: ProviderAnswer, more: Partial<typeof facts> = {}) =>
    decide(outcomeOf(answer), { ...facts, ...more }, policy);

  it('charges no attempt for a rate limit and cools the lane as long as the provider says', () => {
    expect(stepOf(answered(429, {}, { 'retry-after': '3' }))).toMatchObject({
      kind: 'release',
      release: { reason: 'rate_limit', charged: false, delayMs: null },
      lane: { kind: 'cool', retryAfterMs: 3000 },
    });
  });

  it('fails nothing and charges nothing when the credential is refused', () => {
    expect(stepOf(answered(401), { charged: 8 })).toMatchObject({
      kind: 'release',
      release: { reason: 'lane_paused', charged: false, delayMs: null },
      lane: { kind: 'pause', reason: 'unauthorized' },
    });
  });

  it('settles any other 4xx at once, with the answer', () => {
    expect(stepOf(answered(400, errorBody('bad', 'too long')))).toMatchObject({
      kind: 'settle',
      settlement: {
        status: 'failed',
        response: { statusCode: 400 },
        error: { code: 'provider_rejected', message: 'The provider answered 400: too long.' },
      },
    });
  });

  it('backs off until the attempts are used up, and never further', () => {
    expect(stepOf(answered(500), { charged: 7 })).toMatchObject({
      kind: 'release',
      release: { reason: 'backoff', charged: true },
    });
    expect(stepOf(answered(500), { charged: 8 })).toMatchObject({
      kind: 'settle',
      settlement: {
        status: 'failed',
        response: { statusCode: 500 },
        error: { code: 'provider_error' },
      },
    });
    expect(stepOf({ kind: 'unreachable', message: 'reset' }, { charged: 8 })).toMatchObject({
      kind: 'settle',
      settlement: { response: null, error: { code: 'provider_unreachable' } },
    });
  });

  it('gives a job that is handed off back uncharged, and drops one that is withdrawn', () => {
    expect(decide({ kind: 'aborted', reason: 'handed_off' }, facts, policy)).toMatchObject({
      kind: 'release',
      release: { charged: false, delayMs: null, reason: null },
      lane: null,
    });
    expect(decide({ kind: 'aborted', reason: 'withdrawn' }, facts, policy)).toEqual({
      kind: 'drop',
    });
  });
});
