const unitsMs = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const LONGEST_MS = 14 * unitsMs.d;

/** What `completion_window` may be, for an error message. */
export const completionWindowRule =
  "must be '24h', or a number of minutes, hours or days from '1m' to '14d' such as '90m'";

/** The milliseconds of `24h`, `90m`, `7d`; null for anything that is no window from a minute to 14 days. */
export function parseCompletionWindow(text: string): number | null {
  const [, count, unit] = /^([1-9]\d{0,4})([mhd])$/.exec(text) ?? [];
  if (count === undefined) return null;
  const ms = Number(count) * unitsMs[unit as keyof typeof unitsMs];
  return ms <= LONGEST_MS ? ms : null;
}
