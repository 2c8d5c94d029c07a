import { usageFromAnswer } from '@nightshift/shared/usage';
import type { AnswerHeaders, ProviderAnswer } from '../provider/index.ts';
import type { AbortReason, Outcome, RecordedResponse } from './outcome.ts';
import { retryAfterMs } from './retry-after.ts';

/** Turns what came back into an outcome, by the table "What an attempt's outcome leads to" of the public contract. */
export function classify(
  answer: ProviderAnswer,
  abortReason: AbortReason | null,
  nowMs: number,
): Outcome {
  switch (answer.kind) {
    case 'aborted':
      if (abortReason === null || abortReason === 'timed_out') {
        return retryable('request_timeout', 'the provider did not answer in time');
      }
      return { kind: 'aborted', reason: abortReason };
    case 'unreachable':
      return retryable('provider_unreachable', answer.message);
    case 'too_large':
      return retryable('invalid_provider_answer', answer.message);
    case 'answered':
      return classifyStatus(answer, nowMs);
  }
}

function classifyStatus(
  answer: Extract<ProviderAnswer, { kind: 'answered' }>,
  nowMs: number,
): Outcome {
  const { status, headers, body } = answer;
  const response: RecordedResponse = { statusCode: status, requestId: requestIdOf(headers), body };
  if (status >= 200 && status < 300) return classifySuccess(response);
  const said = describeError(body);
  const message = `the provider answered ${status}${said.message === '' ? '' : `: ${said.message}`}`;
  const wait = retryAfterMs(headers, body, nowMs);
  if (status === 429) {
    // OpenAI answers an empty account like a rate limit; waiting a second does not fill it.
    if (said.code === 'insufficient_quota' || said.type === 'insufficient_quota') {
      return { kind: 'lane_refused', reason: 'insufficient_quota', message };
    }
    // Larger than the whole limit: no wait makes it fit. It is refused for good and cools nothing.
    if (/^Request too large\b/.test(said.message)) return { kind: 'rejected', response, message };
    return { kind: 'rate_limited', retryAfterMs: wait, message };
  }
  if (status === 401) return { kind: 'lane_refused', reason: 'unauthorized', message };
  if (status === 403) return { kind: 'lane_refused', reason: 'forbidden', message };
  if (status === 408 || status === 409 || status >= 500 || status < 400) {
    return { kind: 'retryable', code: 'provider_error', message, retryAfterMs: wait, response };
  }
  return { kind: 'rejected', response, message };
}

/** Well formed: a JSON object that is an answer. Some gateways wrap a failure into a 200 with nothing but an error. */
function classifySuccess(response: RecordedResponse): Outcome {
  let parsed: unknown;
  try {
    parsed = JSON.parse(response.body);
  } catch {
    return retryable(
      'invalid_provider_answer',
      `the provider answered ${response.statusCode} with something that is not JSON`,
    );
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    return retryable(
      'invalid_provider_answer',
      `the provider answered ${response.statusCode} with JSON that is not an object`,
    );
  }
  const { error } = parsed as { error?: unknown };
  const results = ['choices', 'output', 'data', 'results'];
  if (
    typeof error === 'object' &&
    error !== null &&
    !results.some((key) => Object.hasOwn(parsed, key))
  ) {
    const { message } = describeError(response.body);
    return retryable(
      'invalid_provider_answer',
      `the provider answered ${response.statusCode} with an error: ${message}`,
    );
  }
  return { kind: 'succeeded', response, usage: usageFromAnswer(parsed) };
}

function retryable(
  code: Extract<Outcome, { kind: 'retryable' }>['code'],
  message: string,
): Outcome {
  return { kind: 'retryable', code, message, retryAfterMs: null, response: null };
}

function requestIdOf(headers: AnswerHeaders): string | null {
  return headers.get('x-request-id') ?? headers.get('request-id') ?? headers.get('apim-request-id');
}

/** The provider's error in its envelope, shortened: it goes into records and messages. */
function describeError(body: string): { message: string; code: string; type: string } {
  try {
    const envelope = JSON.parse(body) as {
      error?: { message?: unknown; code?: unknown; type?: unknown } | string;
    } | null;
    const error = envelope?.error;
    if (typeof error === 'string') return { message: shorten(error), code: '', type: '' };
    return {
      message: shorten(text(error?.message)),
      code: text(error?.code),
      type: text(error?.type),
    };
  } catch {
    return { message: '', code: '', type: '' };
  }
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function shorten(message: string): string {
  return message.length > 500 ? `${message.slice(0, 499)}…` : message;
}
