import { count, duration, money, rate, short } from '../bulk/format.ts';
import { progressView, type ViewOptions } from '../bulk/progress-view.ts';
import type { BatchProgress } from '../bulk/progress.ts';

/** What the provider counted so far; null where it tells nobody. */
export type Refusals = { calls: number; refused: number } | null;

/** A few lines for a terminal. */
export function liveView(
  progress: BatchProgress,
  refusals: Refusals,
  options: ViewOptions,
): string[] {
  const lines = progressView(progress, options);
  if (refusals === null || refusals.calls === 0) return lines;
  return [...lines, `at the provider: ${describeRefusals(refusals)}`];
}

const describeRefusals = ({ calls, refused }: NonNullable<Refusals>): string =>
  `${count(calls)} calls, ${count(refused)} of them refused with 429`;

/** The same in one line. */
export function plainLine(progress: BatchProgress, refusals: Refusals): string {
  const { total, done, failed, perSecond, costUsd, atMs, estimatedEndMs } = progress;
  if (total === 0) return `${progress.status}: the input is being checked`;
  const tokens = progress.inputTokens + progress.outputTokens;
  return [
    duration(progress.elapsedMs),
    `${count(done)} of ${count(total)}, ${Math.floor((done / total) * 100)} %`,
    ...(failed > 0 ? [`${count(failed)} failed`] : []),
    ...(perSecond === null ? [] : [`${rate(perSecond)}/s`]),
    ...(tokens === 0 ? [] : [`${short(tokens)} tokens`]),
    ...(costUsd === null || done === 0 ? [] : [money(costUsd)]),
    ...(refusals === null || refusals.refused === 0 ? [] : [`${count(refusals.refused)}× 429`]),
    ...(estimatedEndMs === null ? [] : [`${duration(estimatedEndMs - atMs)} to go`]),
  ].join(' · ');
}
