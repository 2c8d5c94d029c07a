import type { WaitReason } from '../job/index.ts';

/** Why something stands still: one sentence that names the cause, the remedy and the next try. */
export interface Wait {
  reason: WaitReason;
  message: string;
  /** Unix milliseconds; null when nobody can know. */
  untilMs: number | null;
}

const DAY_MS = 86_400_000;

/** `03:14:20 UTC`, with the date when it is another day. One time zone for all: readers and hosts are anywhere. */
export function instant(atMs: number, nowMs: number): string {
  // Rounded up, as `until` is: who comes back then must not be too early.
  const text = new Date(Math.ceil(atMs / 1000) * 1000).toISOString();
  const time = `${text.slice(11, 19)} UTC`;
  return Math.floor(atMs / DAY_MS) === Math.floor(nowMs / DAY_MS)
    ? time
    : `${text.slice(0, 10)} ${time}`;
}

/** Keys as providers repeat them in their refusals; the last three characters tell which it was. */
const KEY = /\b(sk|rk|pk|gsk|xai|key|api)[-_][\w*.…-]{5,}/gi;

/** Leaves only the two ends of what looks like a credential. */
export function maskKeys(text: string): string {
  return text.replaceAll(
    KEY,
    (key, scheme: string) => `${scheme}-…${key.replace(/\W+$/, '').slice(-3)}`,
  );
}

const LONGEST_QUOTE = 300;

/** Text of others within a sentence of ours: on one line, without keys, of bearable length, without its full stop. */
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
