import type { AnswerHeaders } from '../provider/index.ts';

/** What an answer's headers say of one limit, in their own window. */
export interface LimitReading {
  limit: number;
  remaining: number;
  /** Until the limit is there again in full, or null when the answer does not say. */
  resetMs: number | null;
}

export interface LimitReadings {
  requests: LimitReading | null;
  tokens: LimitReading | null;
}

/** `[limit, remaining, reset]` of each unit, in the words of OpenAI and Azure, then of Anthropic. */
const names = {
  requests: [
    ['x-ratelimit-limit-requests', 'x-ratelimit-remaining-requests', 'x-ratelimit-reset-requests'],
    [
      'anthropic-ratelimit-requests-limit',
      'anthropic-ratelimit-requests-remaining',
      'anthropic-ratelimit-requests-reset',
    ],
  ],
  tokens: [
    ['x-ratelimit-limit-tokens', 'x-ratelimit-remaining-tokens', 'x-ratelimit-reset-tokens'],
    [
      'anthropic-ratelimit-tokens-limit',
      'anthropic-ratelimit-tokens-remaining',
      'anthropic-ratelimit-tokens-reset',
    ],
    [
      'anthropic-ratelimit-input-tokens-limit',
      'anthropic-ratelimit-input-tokens-remaining',
      'anthropic-ratelimit-input-tokens-reset',
    ],
  ],
} as const;

/** Both limits as far as the answer tells them. `nowMs`: unix time, for resets that are given as a date. */
export function readLimits(headers: AnswerHeaders, nowMs: number): LimitReadings {
  return {
    requests: readOne(headers, names.requests, nowMs),
    tokens: readOne(headers, names.tokens, nowMs),
  };
}

function readOne(
  headers: AnswerHeaders,
  candidates: readonly (readonly [string, string, string])[],
  nowMs: number,
): LimitReading | null {
  for (const [limitName, remainingName, resetName] of candidates) {
    const limit = count(headers.get(limitName));
    const remaining = count(headers.get(remainingName));
    // Azure writes -1 for a limit that does not apply.
    if (limit === null || limit <= 0 || remaining === null || remaining < 0) continue;
    return { limit, remaining, resetMs: resetMs(headers, resetName, nowMs) };
  }
  return null;
}

function count(text: string | null): number | null {
  return text !== null && /^-?\d{1,15}(\.\d{1,6})?$/.test(text.trim()) ? Number(text) : null;
}

const units: Readonly<Record<string, number>> = {
  d: 86_400_000,
  h: 3_600_000,
  m: 60_000,
  s: 1000,
  ms: 1,
};

/** OpenAI: `6m0s`, `1.2s`, `20ms`. Azure: seconds. Anthropic: a date, read against the answer's own `date`. */
function resetMs(headers: AnswerHeaders, name: string, nowMs: number): number | null {
  const text = headers.get(name)?.trim();
  if (text === undefined || text === '') return null;
  if (/^\d{1,9}(\.\d{1,9})?$/.test(text)) return Number(text) * 1000;
  if (/^(\d{1,9}(\.\d{1,9})?(ms|d|h|m|s))+$/.test(text)) {
    let total = 0;
    for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|d|h|m|s)/g)) {
      total += Number(amount) * (units[unit ?? ''] ?? 0);
    }
    return total;
  }
  if (!/^\d{4}-\d{2}-\d{2}T/.test(text)) return null;
  const at = Date.parse(text);
  const date = Date.parse(headers.get('date') ?? '');
  return Number.isNaN(at) ? null : Math.max(0, at - (Number.isNaN(date) ? nowMs : date));
}
