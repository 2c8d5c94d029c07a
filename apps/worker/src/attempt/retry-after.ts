import type { AnswerHeaders } from '../provider/index.ts';

/**
 * How long the provider asks to wait, in milliseconds, or null when it does not say. `retry-after-ms` is the most
 * exact, then `retry-after` in seconds or as an HTTP date (RFC 9110, against the answer's own `date`, so that our
 * clock does not count), then the sentence of OpenAI's message, then Gemini's `RetryInfo.retryDelay`.
 */
export function retryAfterMs(headers: AnswerHeaders, body: string, nowMs: number): number | null {
  const milliseconds = number(headers.get('retry-after-ms'));
  if (milliseconds !== null) return milliseconds;
  const retryAfter = headers.get('retry-after');
  const seconds = number(retryAfter);
  if (seconds !== null) return seconds * 1000;
  // An HTTP date begins with its weekday; Date.parse would take nearly anything for one.
  if (retryAfter !== null && /^\s*[A-Z][a-z]{2}/.test(retryAfter)) {
    const at = Date.parse(retryAfter);
    const date = Date.parse(headers.get('date') ?? '');
    if (!Number.isNaN(at)) return Math.max(0, at - (Number.isNaN(date) ? nowMs : date));
  }
  return fromMessage(body) ?? fromRetryInfo(body);
}

function number(value: string | null): number | null {
  return value !== null && /^\s*\d+(\.\d+)?\s*$/.test(value) ? Number(value) : null;
}

const units: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };

/** "Please try again in 6m0s.", "… in 1.2s", "… in 20ms" */
function fromMessage(body: string): number | null {
  const written = /try again in ((?:\d+(?:\.\d+)?(?:ms|h|m|s))+)/i.exec(body)?.[1];
  if (written === undefined) return null;
  let total = 0;
  for (const [, amount, unit] of written.matchAll(/(\d+(?:\.\d+)?)(ms|h|m|s)/gi)) {
    total += Number(amount) * (units[(unit ?? '').toLowerCase()] ?? 0);
  }
  return total;
}

function fromRetryInfo(body: string): number | null {
  const seconds = /"retryDelay"\s*:\s*"(\d+(?:\.\d+)?)s"/.exec(body)?.[1];
  return seconds === undefined ? null : Number(seconds) * 1000;
}
