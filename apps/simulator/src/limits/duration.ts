/**
 * A duration as OpenAI writes it in `x-ratelimit-reset-*` and in its 429 messages: "0s", "6ms",
 * "7.66s", "1m2.5s", "6m0s", "1h0m0s". Rounded up to the millisecond.
 */
export function formatDuration(durationMs: number): string {
  const wholeMs = Math.max(0, Math.ceil(durationMs - 1e-6));
  if (wholeMs === 0) return '0s';
  if (wholeMs < 1000) return `${wholeMs}ms`;
  const hours = Math.floor(wholeMs / 3_600_000);
  const minutes = Math.floor(wholeMs / 60_000) % 60;
  const seconds = `${(wholeMs % 60_000) / 1000}s`;
  if (hours > 0) return `${hours}h${minutes}m${seconds}`;
  return minutes > 0 ? `${minutes}m${seconds}` : seconds;
}
