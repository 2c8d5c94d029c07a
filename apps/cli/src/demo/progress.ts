import type { JobView, LaneView } from './client.ts';

/** Where a run stands. */
export interface Standing {
  total: number;
  submitted: number;
  byStatus: Readonly<Partial<Record<JobView['status'], number>>>;
  elapsedMs: number;
  lanes: readonly Pick<LaneView, 'model' | 'state' | 'until'>[];
  /** Why a job waits, told while none is settled: then something may be wrong. */
  waitsFor: string | null;
}

const BAR_WIDTH = 16;
const SETTLED = ['completed', 'failed', 'expired', 'cancelled'] as const;

export const settledCount = (byStatus: Standing['byStatus']): number =>
  SETTLED.reduce((sum, status) => sum + (byStatus[status] ?? 0), 0);

/** One line, without a line end. @param nowMs unix milliseconds, to tell how long a lane still cools */
export function progressLine(standing: Standing, nowMs: number): string {
  const { total, submitted, byStatus, elapsedMs, lanes, waitsFor } = standing;
  const settled = settledCount(byStatus);
  const filled = total === 0 ? 0 : Math.floor((settled / total) * BAR_WIDTH);
  const bar = `[${'#'.repeat(filled)}${'.'.repeat(BAR_WIDTH - filled)}]`;
  const shut = lanes
    .filter(({ state }) => state !== 'open')
    .map(({ model, state, until }) => {
      if (state === 'paused' || until === null) return `${model} ${state}`;
      return `${model} cools ${Math.max(0, until - nowMs / 1000).toFixed(0)} s`;
    });
  return [
    `${bar} ${settled}/${total} settled`,
    ...(submitted < total ? [`${submitted} submitted`] : []),
    `${byStatus.in_progress ?? 0} in progress`,
    `${byStatus.queued ?? 0} queued`,
    `${(elapsedMs / 1000).toFixed(1)} s`,
    ...shut,
    ...(settled === 0 && waitsFor !== null ? [waitsFor] : []),
  ].join(', ');
}

export interface Screen {
  /** A line that stays. */
  say(line: string): void;
  /** Replaces the progress before it on a terminal; elsewhere at most one line a second. */
  progress(line: string): void;
  /** Leaves the last progress standing. */
  endProgress(): void;
}

export interface Output {
  write(text: string): unknown;
  isTTY?: boolean;
  columns?: number;
}

const PLAIN_EVERY_MS = 1000;

/** @param now milliseconds, rising */
export function createScreen(
  output: Output = process.stdout,
  now: () => number = () => performance.now(),
): Screen {
  const isTerminal = output.isTTY === true;
  let standing = '';
  let toldAtMs = -Infinity;
  let lastTold = '';
  const clear = (): void => {
    if (isTerminal && standing !== '') output.write('\r\u001B[K');
  };
  return {
    say: (line) => {
      clear();
      output.write(`${line}\n`);
      if (isTerminal && standing !== '') output.write(standing);
    },
    progress: (line) => {
      if (isTerminal) {
        // A line that wraps could not be taken back. Some terminals say 0 columns.
        const fitting = `  ${line}`.slice(0, Math.max(20, (output.columns || 80) - 1));
        clear();
        output.write(fitting);
        standing = fitting;
        return;
      }
      standing = line;
      if (now() - toldAtMs < PLAIN_EVERY_MS) return;
      toldAtMs = now();
      lastTold = line;
      output.write(`  ${line}\n`);
    },
    endProgress: () => {
      if (standing === '') return;
      if (isTerminal) output.write('\n');
      else if (standing !== lastTold) output.write(`  ${standing}\n`);
      standing = '';
    },
  };
}
