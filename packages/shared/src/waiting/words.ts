import type { WaitReason } from '../job/index.ts';

/** Why work is waiting. The message names the cause, the fix and the next try. */
export interface Wait {
  reason: WaitReason;
  message: string;
  /** Unix milliseconds; null if not known. */
  untilMs: number | null;
}

const DAY_MS = 86_400_000;

/** `03:14:20 UTC`, with the date if it is another day. UTC, since readers and hosts may be in any time zone. */
export function instant(atMs: number, nowMs: number): string {
  // Rounded up like `until`, so that a reader who returns at this time is not too early.
  const text = new Date(Math.ceil(atMs / 1000) * 1000).toISOString();
  const time = `${text.slice(11, 19)} UTC`;
  return Math.floor(atMs / DAY_MS) === Math.floor(nowMs / DAY_MS)
    ? time
    : `${text.slice(0, 10)} ${time}`;
}

/** Keys as providers repeat them in refusals. The last three characters stay, to tell which key it was. */
const KEY = /\b(sk|rk|pk|gsk|xai|key|api)[-_][\w*.…-]{5,}/gi;

/** Masks anything that looks like a credential, except its two ends. */
export function maskKeys(text: string): string {
  return text.replaceAll(
    KEY,
    (key, scheme: string) => `${scheme}-…${key.replace(/\W+$/, '').slice(-3)}`,
  );
}

const LONGEST_QUOTE = 300;

/** Prepares foreign text for use in one of our sentences: one line, keys masked, shortened, no full stop at the end. */
export function quote(text: string): string {
  const line = maskKeys(text)
    .replaceAll(/[\p{Cc}\s]+/gu, ' ')
    .trim();
  const short = line.length > LONGEST_QUOTE ? `${line.slice(0, LONGEST_QUOTE - 1)}…` : line;
  return short.replace(/[.\s]+$/, '');
}

export function whole(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}
