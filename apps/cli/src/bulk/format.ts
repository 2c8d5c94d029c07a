/** Figures for people, the same in every locale. */

export const count = (value: number): string => value.toLocaleString('en-US');

/** `8,256`, then `12.3k`, `4.56M`: three digits are enough for tokens that are counted every second. */
export function short(value: number): string {
  if (value < 10_000) return count(value);
  const [unit, size] = value < 999_500 ? ['k', 1000] : ['M', 1_000_000];
  return `${(value / size).toPrecision(3)}${unit}`;
}

/** `0.52`, `8.4`, `312`: as many digits as say something. */
export function rate(perSecond: number): string {
  if (perSecond >= 100) return count(Math.round(perSecond));
  return perSecond.toFixed(perSecond >= 10 ? 1 : 2);
}

/** Dollars with two digits that say something: `$12.40`, `$0.0042`. */
export function money(usd: number): string {
  if (usd === 0 || usd >= 1) return `$${usd.toFixed(2)}`;
  const digits = Math.min(8, 1 - Math.floor(Math.log10(usd)));
  return `$${usd.toFixed(Math.max(2, digits))}`;
}

/** Decimal units, three significant digits: `812 B`, `64.0 MB`, `1.20 TB`. */
export function bytes(value: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const power = value < 1 ? 0 : Math.min(4, Math.floor(Math.log10(value) / 3));
  const scaled = value / 1000 ** power;
  return `${power === 0 ? Math.round(scaled) : scaled.toPrecision(3)} ${units[power]}`;
}

/** `8 s`, `4 min 10 s`, `7 h 05 min`, `2 d 3 h`. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${two(seconds % 60)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
  const hours = Math.round(minutes / 60);
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** The local time of day, with the date when it is another day: `14:03`, `Nov 22, 02:10`. */
export function clockTime(atMs: number, nowMs: number): string {
  const at = new Date(atMs);
  const time = `${two(at.getHours())}:${two(at.getMinutes())}`;
  if (at.toDateString() === new Date(nowMs).toDateString()) return time;
  return `${at.toLocaleDateString('en-US', { month: 'short', day: 'numeric' })}, ${time}`;
}

const two = (value: number): string => String(value).padStart(2, '0');
