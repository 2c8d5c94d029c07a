import { UsageError } from '../flags.ts';

/** A number that a flag gives, or null without it. @throws UsageError */
export function numberOf(
  text: string | undefined,
  flag: string,
  { least, most, whole }: { least: number; most: number; whole: boolean },
): number | null {
  if (text === undefined) return null;
  const value = Number(text);
  const isRight = text.trim() !== '' && value >= least && value <= most;
  if (isRight && (!whole || Number.isInteger(value))) return value;
  const kind = whole ? 'a whole number' : 'a number';
  throw new UsageError(
    `${flag} must be ${kind} from ${least} to ${most}, got ${JSON.stringify(text)}`,
  );
}

/** An object that a flag gives as JSON; an empty one without it. @throws UsageError */
export function objectOf(text: string | undefined, flag: string): Record<string, unknown> {
  if (text === undefined) return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new UsageError(
      `${flag} must be a JSON object such as '{"seed": 7}', got ${JSON.stringify(text)}`,
    );
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new UsageError(`${flag} must be a JSON object, got ${JSON.stringify(text)}`);
}

/** `KEY=VALUE` pairs; null without any. @throws UsageError */
export function pairsOf(texts: readonly string[], flag: string): Record<string, string> | null {
  if (texts.length === 0) return null;
  const pairs = texts.map((text): [string, string] => {
    const at = text.indexOf('=');
    if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
    throw new UsageError(`${flag} must be KEY=VALUE, got ${JSON.stringify(text)}`);
  });
  return Object.fromEntries(pairs);
}

/** Seconds, written as a number or as `12h`, `30d`. @throws UsageError */
export function secondsOf(text: string | undefined, flag: string): number | null {
  if (text === undefined) return null;
  const [, number, unit = 's'] = /^(\d{1,9})([smhd]?)$/.exec(text) ?? [];
  const perUnit = { s: 1, m: 60, h: 3600, d: 86_400 }[unit || 's'];
  if (number !== undefined && perUnit !== undefined) return Number(number) * perUnit;
  throw new UsageError(
    `${flag} must be a number of seconds, or one with a unit such as 12h or 30d, got ${JSON.stringify(text)}`,
  );
}

/**
 * An instant in unix seconds: given as such, as `2026-11-22T02:00` (of this machine's time zone unless it names another), or as
 * `02:00`, which is the next one.
 * @throws UsageError
 */
export function instantOf(text: string | undefined, flag: string, nowMs: number): number | null {
  if (text === undefined) return null;
  if (/^\d{9,11}$/.test(text)) return Number(text);
  const [, hours, minutes] = /^([01]\d|2[0-3]):([0-5]\d)$/.exec(text) ?? [];
  if (hours !== undefined) {
    const next = new Date(nowMs);
    next.setHours(Number(hours), Number(minutes), 0, 0);
    if (next.getTime() <= nowMs) next.setDate(next.getDate() + 1);
    return next.getTime() / 1000;
  }
  const ms = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(ms)) return Math.floor(ms / 1000);
  throw new UsageError(
    `${flag} must be a time such as 02:00, 2026-11-22T02:00 or unix seconds, got ${JSON.stringify(text)}`,
  );
}
