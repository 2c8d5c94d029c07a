import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Endpoint } from '@nightshift/shared/job';
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
const CHAT = '/v1/chat/completions';
const outcomeOf = (answer: ProviderAnswer, endpoint: Endpoint = CHAT) =>
  classify(answer, null, 0, endpoint);
const errorBody = (code: string, message = 'no') => ({
  error: { message, code, type: code, param: null },
});

describe('classify, by the table of the contract', () => {
  it.each([
    ['2xx, well formed', answered(200, { choices: [] }), 'succeeded'],
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
    expect(classify({ kind: 'aborted' }, 'timed_out', 0, CHAT)).toMatchObject({
      kind: 'retryable',
      code: 'request_timeout',
    });
    expect(classify({ kind: 'aborted' }, 'withdrawn', 0, CHAT)).toEqual({
      kind: 'aborted',
      reason: 'withdrawn',
    });
    expect(classify({ kind: 'aborted' }, 'handed_off', 0, CHAT)).toEqual({
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

describe('a 2xx, by what its endpoint answers', () => {
  const results = {
    '/v1/chat/completions': 'choices',
    '/v1/completions': 'choices',
    '/v1/responses': 'output',
    '/v1/embeddings': 'data',
    '/v1/moderations': 'results',
  } as const;
  const endpoints = Object.keys(results) as Endpoint[];

  it.each(endpoints)('%s: is a success with its results, whatever stands beside', (endpoint) => {
    const noError = fc.constantFrom(undefined, null, false, '');
    fc.assert(
      fc.property(fc.array(fc.dictionary(fc.string(), fc.jsonValue())), noError, (list, error) => {
        const items = list.map(({ error: _error, ...item }) => item);
        const answer = answered(200, { [results[endpoint]]: items, error });
        expect(outcomeOf(answer, endpoint).kind).toBe('succeeded');
      }),
    );
  });

  it.each(endpoints)('%s: is a failure without them', (endpoint) => {
    const name = results[endpoint];
    const odd = fc.oneof(fc.constant({}), fc.dictionary(fc.string(), fc.jsonValue()));
    const none = fc.constantFrom(undefined, null, {}, 'x', 3);
    fc.assert(
      fc.property(odd, none, (rest, value) => {
        const { error: _e, status: _s, code: _c, ...others } = rest as Record<string, unknown>;
        const answer = answered(200, { ...others, [name]: value });
        expect(outcomeOf(answer, endpoint)).toMatchObject({
          ...{ kind: 'retryable', code: 'invalid_provider_answer' },
        });
      }),
    );
  });

  it.each([
    [{ error: 'overloaded' }, 'retryable', 'with an error: overloaded'],
    [{ error: { message: 'no' }, choices: [] }, 'retryable', 'with an error: no'],
    [{ error: { message: 'no' }, choices: null }, 'retryable', 'with an error: no'],
    [{ choices: [{ error: { message: 'cut', code: 502 } }] }, 'retryable', 'with an error: cut'],
    [{ detail: 'busy' }, 'retryable', 'with an error: busy'],
    [{ message: 'busy' }, 'retryable', 'with an error: busy'],
    [{}, 'retryable', 'without choices'],
    [{ choices: null, status: 503 }, 'retryable', 'without choices'],
    [{ error: { message: 'slow down', code: 429 } }, 'rate_limited', 'slow down'],
    [{ error: { message: 'pay', code: 402 } }, 'lane_refused', 'pay'],
    [{ error: { message: 'bad', code: 400 } }, 'rejected', 'bad'],
  ])('%j', (body, kind, message) => {
    expect(outcomeOf(answered(200, body))).toMatchObject({
      ...{ kind, message: expect.stringContaining(message) },
    });
  });

  it('takes a response that failed, or is not made yet, for none', () => {
    const of = (more: object) => outcomeOf(answered(200, { output: [], ...more }), '/v1/responses');
    expect(of({ status: 'completed', error: null }).kind).toBe('succeeded');
    expect(of({ status: 'incomplete' }).kind).toBe('succeeded');
    expect(of({}).kind).toBe('succeeded');
    for (const status of ['failed', 'queued', 'in_progress', 'cancelled']) {
      expect(of({ status })).toMatchObject({ kind: 'retryable', code: 'invalid_provider_answer' });
    }
    const failed = of({ status: 'failed', error: { code: 'server_error', message: 'broke' } });
    expect(failed).toMatchObject({ message: 'the provider answered 200 with an error: broke' });
  });
});
