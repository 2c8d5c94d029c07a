/** `1 answer`, `1,204 answers`. */
export function countOf(count: number, what: string): string {
  return `${numberText(count)} ${what}${count === 1 ? '' : 's'}`;
}

/** `0.25`, `8.4`, `1,204`: only significant digits. */
export function numberText(value: number): string {
  return value.toLocaleString('en-US', {
    maximumFractionDigits: value < 1 ? 2 : value < 10 ? 1 : 0,
  });
}

/** An approximate duration: `40 s`, `12 min`, `3 h`, `2 days`. */
export function spanText(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  if (seconds < 2 * 86_400) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}
