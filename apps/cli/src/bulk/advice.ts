import type { BatchErrorGroup } from '@nightshift/shared/http';
import { count } from './format.ts';

/** What to do about the requests of a batch that failed. */
export interface Advice {
  /** Codes of failures that may succeed if the request is sent again unchanged. */
  retryCodes: string[];
  /** Number of these failures, and of all failures. */
  retryable: number;
  failed: number;
  /** What to change in the other requests, one message for each cause. */
  changes: string[];
}

/** Statuses below 500 that the workers retry, since they say nothing about the request itself. */
const TRANSIENT = new Set([408, 409, 424, 425, 429, 498, 499]);
/** Nightshift's own error codes for requests that were never answered, or not in time. */
const UNANSWERED = new Set([
  'batch_expired',
  'batch_cancelled',
  'job_expired',
  'job_cancelled',
  'provider_error',
  'provider_unreachable',
  'request_timeout',
  'invalid_provider_answer',
]);

type Group = Pick<BatchErrorGroup, 'code' | 'status_code' | 'message' | 'count'>;

export function adviceOn(groups: readonly Group[]): Advice {
  const isRetryable = (group: Group): boolean => changeOf(group) === null;
  const total = (some: readonly Group[]): number => some.reduce((sum, one) => sum + one.count, 0);
  const again = groups.filter(isRetryable);
  const changes = new Map<string, number>();
  for (const group of groups) {
    const change = changeOf(group);
    if (change !== null) changes.set(change, (changes.get(change) ?? 0) + group.count);
  }
  return {
    retryCodes: again.map(({ code }) => code),
    retryable: total(again),
    failed: total(groups),
    changes: [...changes].map(([change, times]) => `${count(times)} would fail again: ${change}`),
  };
}

/** What must change before such a request can succeed; null if nothing must. */
function changeOf({ code, status_code: status, message }: Group): string | null {
  if (code === 'model_not_found') {
    return 'no provider serves their model. Change the model in the input, or its route in NIGHTSHIFT_CONFIG, and submit them again.';
  }
  if (code === 'worker_lost') {
    return 'several workers died while running them. Find the cause (usually memory) before you submit them again.';
  }
  if (/context_length|too large|too long|maximum context/i.test(`${code} ${message}`)) {
    return 'they are larger than the model takes. Shorten them, or choose another model, and submit them again.';
  }
  if (/content_(policy|filter)|moderation|flagged/i.test(`${code} ${message}`)) {
    return 'the provider refuses their content. Change it and submit them again.';
  }
  if (status === null) {
    return UNANSWERED.has(code) ? null : CHANGE_REQUEST;
  }
  return status >= 500 || status < 400 || TRANSIENT.has(status) ? null : CHANGE_REQUEST;
}

const CHANGE_REQUEST =
  'the provider rejected the request itself. Correct what the error names in the input, and submit them again.';
