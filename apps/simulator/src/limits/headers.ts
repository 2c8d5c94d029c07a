import type { HeaderStyle } from '../settings.ts';
import type { Allowance, Admission } from './allowance.ts';
import type { Bucket } from './bucket.ts';
import { formatDuration } from './duration.ts';

/** Appends the limit headers of an answer to `headers`, a flat list of names and values. */
export function addLimitHeaders(
  headers: string[],
  allowance: Allowance,
  style: HeaderStyle,
  nowMs: number,
): void {
  if (style !== 'openai' && style !== 'azure') return;
  addBucketHeaders(headers, 'requests', allowance.requests, style, nowMs);
  addBucketHeaders(headers, 'tokens', allowance.tokens, style, nowMs);
}

function addBucketHeaders(
  headers: string[],
  unit: 'requests' | 'tokens',
  bucket: Bucket | null,
  style: 'openai' | 'azure',
  nowMs: number,
): void {
  if (bucket === null) {
    // Azure says -1 for a limit that does not apply; OpenAI leaves the header out.
    if (style === 'azure') {
      headers.push(`x-ratelimit-limit-${unit}`, '-1', `x-ratelimit-remaining-${unit}`, '-1');
      headers.push(`x-ratelimit-reset-${unit}`, '0');
    }
    return;
  }
  const remaining = Math.max(0, Math.floor(bucket.level(nowMs) + 1e-6));
  headers.push(
    `x-ratelimit-limit-${unit}`,
    String(bucket.perMinute),
    `x-ratelimit-remaining-${unit}`,
    String(remaining),
  );
  const fullInMs = bucket.fullInMs(nowMs);
  headers.push(
    `x-ratelimit-reset-${unit}`,
    style === 'openai' ? formatDuration(fullInMs) : String(Math.ceil(fullInMs / 1000)),
  );
}

/** `retry-after` (whole seconds, rounded up) and `retry-after-ms` for a refused call. */
export function addRetryAfter(headers: string[], waitMs: number): void {
  headers.push('retry-after', String(Math.ceil(waitMs / 1000 - 1e-9)));
  headers.push('retry-after-ms', String(Math.ceil(waitMs - 1e-6)));
}

type Refused = Exclude<Admission, { kind: 'admitted' }>;

/** The body of a 429, worded as the provider in question words it. */
export function refusalBody(model: string, refused: Refused, style: HeaderStyle): string {
  const type = refused.kind === 'refused' ? refused.by : 'tokens';
  const code = style === 'azure' ? '429' : 'rate_limit_exceeded';
  const message = refusalMessage(model, refused, style);
  return JSON.stringify({ error: { message, type, param: null, code } });
}

function refusalMessage(model: string, refused: Refused, style: HeaderStyle): string {
  const per = refused.kind === 'too_large' || refused.by === 'tokens' ? 'TPM' : 'RPM';
  const unit = per === 'TPM' ? 'tokens' : 'requests';
  const where = `for ${model} in organization org-simulator on ${unit} per min (${per})`;
  const visit = 'Visit https://platform.openai.com/account/rate-limits to learn more.';
  if (refused.kind === 'too_large') {
    return (
      `Request too large ${where}: Limit ${refused.limit}, Requested ${refused.requested}. ` +
      `The input or output tokens must be reduced in order to run successfully. ${visit}`
    );
  }
  if (style === 'none') return `Rate limit reached ${where}.`;
  if (style === 'azure') {
    const seconds = Math.ceil(refused.waitMs / 1000);
    return `Requests to this deployment have exceeded the ${unit} rate limit of your current pricing tier. Please retry after ${seconds} second${seconds === 1 ? '' : 's'}.`;
  }
  return (
    `Rate limit reached ${where}: Limit ${refused.limit}, Used ${refused.used}, ` +
    `Requested ${refused.requested}. Please try again in ${formatDuration(refused.waitMs)}. ${visit}`
  );
}
