import { Bucket } from './bucket.ts';
import type { Limits, PacingSettings } from '../settings.ts';

/** What admission says about a call of so many tokens. */
export type Admission =
  | { kind: 'admitted' }
  | { kind: 'too_large'; limit: number; requested: number }
  | {
      kind: 'refused';
      by: 'requests' | 'tokens';
      limit: number;
      used: number;
      requested: number;
      waitMs: number;
    };

const ADMITTED: Admission = { kind: 'admitted' };

/** What one API key may use of one model: a bucket of requests and a bucket of tokens, or none. */
export class Allowance {
  requests: Bucket | null = null;
  tokens: Bucket | null = null;
  #pacing: PacingSettings;

  constructor(limits: Limits, pacing: PacingSettings, nowMs: number) {
    this.#pacing = pacing;
    this.configure(limits, pacing, nowMs);
  }

  /** Charges one request and `tokens`, both or neither. */
  admit(tokens: number, nowMs: number): Admission {
    if (this.tokens && tokens > this.tokens.capacity) {
      return { kind: 'too_large', limit: this.tokens.perMinute, requested: tokens };
    }
    const refusing =
      this.requests && !this.requests.has(1, nowMs)
        ? ({ by: 'requests', bucket: this.requests, requested: 1 } as const)
        : this.tokens && !this.tokens.has(tokens, nowMs)
          ? ({ by: 'tokens', bucket: this.tokens, requested: tokens } as const)
          : null;
    if (refusing === null) {
      this.requests?.take(1, nowMs);
      this.tokens?.take(tokens, nowMs);
      return ADMITTED;
    }
    const { by, bucket, requested } = refusing;
    const used = bucket.used(nowMs);
    const waitMs = bucket.waitMs(requested, nowMs);
    if (this.#pacing.refused_calls !== 'free') this.requests?.takeAtMost(1, nowMs);
    if (this.#pacing.refused_calls === 'all') this.tokens?.takeAtMost(tokens, nowMs);
    return { kind: 'refused', by, limit: bucket.perMinute, used, requested, waitMs };
  }

  /** After the answer: gives back what was charged beyond the actual use, if so configured. */
  settle(chargedTokens: number, usedTokens: number, nowMs: number): void {
    if (this.#pacing.refund) this.tokens?.give(chargedTokens - usedTokens, nowMs);
  }

  configure(limits: Limits, pacing: PacingSettings, nowMs: number): void {
    this.#pacing = pacing;
    const common = { startLevel: pacing.start_level, outsideShare: pacing.outside_share };
    this.requests = reconfigured(
      this.requests,
      limits.requests_per_minute,
      { ...common, windowMs: pacing.request_window_ms },
      nowMs,
    );
    this.tokens = reconfigured(
      this.tokens,
      limits.tokens_per_minute,
      { ...common, windowMs: pacing.token_window_ms },
      nowMs,
    );
  }
}

function reconfigured(
  bucket: Bucket | null,
  perMinute: number | null,
  rest: { windowMs: number; startLevel: number; outsideShare: number },
  nowMs: number,
): Bucket | null {
  if (perMinute === null) return null;
  if (bucket === null) return new Bucket({ perMinute, ...rest }, nowMs);
  bucket.configure({ perMinute, ...rest }, nowMs);
  return bucket;
}
