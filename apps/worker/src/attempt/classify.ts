import type { Endpoint } from '@nightshift/shared/job';
import { usageFromAnswer } from '@nightshift/shared/usage';
import type { AnswerHeaders, ProviderAnswer } from '../provider/index.ts';
import type { AbortReason, Outcome, RecordedResponse } from './outcome.ts';
import { fromJson, readProviderError, type ProviderError } from './provider-error.ts';
import { retryAfterMs } from './retry-after.ts';
import { missingResult } from './success.ts';

/** Turns what came back into an outcome, by the table "What an attempt's outcome leads to" of the public contract. */
export function classify(
  answer: ProviderAnswer,
  abortReason: AbortReason | null,
  nowMs: number,
  endpoint: Endpoint,
): Outcome {
  switch (answer.kind) {
    case 'aborted':
      if (abortReason === null || abortReason === 'timed_out') {
        return retryable('request_timeout', 'the provider did not answer in time');
      }
      return { kind: 'aborted', reason: abortReason };
    case 'unreachable':
      return { ...retryable('provider_unreachable', answer.message), wasSent: answer.sent };
    case 'too_large':
      return retryable('invalid_provider_answer', answer.message);
    case 'answered':
      return classifyAnswer(answer, nowMs, endpoint);
  }
}

function classifyAnswer(
  answer: Extract<ProviderAnswer, { kind: 'answered' }>,
  nowMs: number,
  endpoint: Endpoint,
): Outcome {
  const { status, headers, body } = answer;
  const response: RecordedResponse = { statusCode: status, requestId: requestIdOf(headers), body };
  const waitMs = retryAfterMs(headers, body, nowMs);
  if (status >= 200 && status < 300) return classifySuccess(response, waitMs, endpoint);
  const said = readProviderError(body);
  const message = `the provider answered ${status}${said.message === '' ? '' : `: ${said.message}`}`;
  return classifyFailure(status, said, { message, response, waitMs });
}

/** A failure by its status: the answer's, or the one that a 2xx holds. */
function classifyFailure(
  status: number,
  said: ProviderError,
  {
    message,
    response,
    waitMs: wait,
  }: { message: string; response: RecordedResponse; waitMs: number | null },
): Outcome {
  if (isAboutMoney(status, said)) {
    return { kind: 'lane_refused', reason: 'insufficient_quota', message, response };
  }
  if (status === 429) {
    // Larger than the whole limit: no wait makes it fit. It is refused for good and cools nothing.
    if (/^Request too large\b/.test(said.message)) return { kind: 'rejected', response, message };
    return { kind: 'rate_limited', retryAfterMs: wait, message, response };
  }
  if (status === 401) return { kind: 'lane_refused', reason: 'unauthorized', message, response };
  if (status === 403) return { kind: 'lane_refused', reason: 'forbidden', message, response };
  if (transientStatuses.has(status) || status >= 500 || status < 400) {
    return {
      ...{ kind: 'retryable', code: 'provider_error', message, retryAfterMs: wait, response },
      wasSent: true,
    };
  }
  return { kind: 'rejected', response, message };
}

/**
 * Transient although below 500: 408 and 409, which OpenAI's SDKs retry; 424 (a model behind a gateway failed: Bedrock,
 * Hugging Face), 425 (too early, RFC 8470), 498 (Groq: flex capacity exceeded), 499 (a gateway's client disconnected).
 */
const transientStatuses: ReadonlySet<number> = new Set([408, 409, 424, 425, 498, 499]);

/**
 * The account has no credit; a retry within seconds cannot help. OpenRouter, DeepSeek and Together answer 402. OpenAI answers 429
 * `insufficient_quota` or `billing_not_active`, or 400 `billing_hard_limit_reached`. Anthropic answers `billing_error`, or a
 * 400 that says so only in its message: "Your credit balance is too low to access the Anthropic API."
 */
const moneyCodes: ReadonlySet<string> = new Set([
  ...['insufficient_quota', 'billing_not_active', 'billing_hard_limit_reached', 'billing_error'],
  ...['insufficient_credits', 'insufficient_balance', 'insufficient_funds'],
]);

function isAboutMoney(status: number, said: ProviderError): boolean {
  if (status === 402) return true;
  if (status !== 429 && status !== 403 && status !== 400) return false;
  return (
    moneyCodes.has(said.code) ||
    moneyCodes.has(said.type) ||
    /\b(credit balance is too low|insufficient balance)\b/i.test(said.message)
  );
}

function classifySuccess(
  response: RecordedResponse,
  waitMs: number | null,
  endpoint: Endpoint,
): Outcome {
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
  const missing = missingResult(endpoint, parsed as Record<string, unknown>);
  if (missing === null) return { kind: 'succeeded', response, usage: usageFromAnswer(parsed) };
  const said = fromJson(missing.failure);
  const why = said.message === '' ? missing.reason : `with an error: ${said.message}`;
  const message = `the provider answered ${response.statusCode} ${why}`;
  // A gateway that wraps a failure often says its status: it is retried, waited for or refused as if it had come by itself.
  return said.status === null
    ? retryable('invalid_provider_answer', message)
    : classifyFailure(said.status, said, { message, response, waitMs });
}

function retryable(
  code: Extract<Outcome, { kind: 'retryable' }>['code'],
  message: string,
): Extract<Outcome, { kind: 'retryable' }> {
  return { kind: 'retryable', code, message, retryAfterMs: null, response: null, wasSent: true };
}

function requestIdOf(headers: AnswerHeaders): string | null {
  return headers.get('x-request-id') ?? headers.get('request-id') ?? headers.get('apim-request-id');
}
