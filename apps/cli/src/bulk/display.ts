import { columnsOf, createLiveBlock, type LiveOutput } from '../live-block.ts';
import type { BatchProgress } from './progress.ts';
import { progressRecord } from './progress-line.ts';
import { progressView } from './progress-view.ts';

/** The standard error, so that the standard output carries data alone. */
export interface Display {
  /** A line that stays. */
  say(line: string): void;
  show(progress: BatchProgress): void;
  /** Leaves the last figures standing. Can be called twice. */
  end(): void;
}

const FEWEST_COLUMNS = 20;

/** On a terminal a few lines that are drawn anew; elsewhere a JSON line every `everyMs` and one at the end. */
export function createDisplay(
  output: LiveOutput,
  { isTerminal, everyMs, now }: { isTerminal: boolean; everyMs: number; now: () => number },
): Display {
  return isTerminal ? onTerminal(output) : asLines(output, everyMs, now);
}

function onTerminal(output: LiveOutput): Display {
  const block = createLiveBlock(output);
  return {
    say: block.say,
    show: (progress) => {
      // One column less: some terminals break a line that fills them.
      const columns = Math.max(FEWEST_COLUMNS, columnsOf(output) - 1);
      const color = output.hasColors?.() ?? false;
      block.show(progressView(progress, { columns, color }));
    },
    end: block.end,
  };
}

function asLines(output: LiveOutput, everyMs: number, now: () => number): Display {
  let toldAtMs = -Infinity;
  let untold: BatchProgress | null = null;
  const tell = (progress: BatchProgress): void => {
    toldAtMs = now();
    untold = null;
    output.write(`${JSON.stringify(progressRecord(progress))}\n`);
  };
  return {
    say: (line) => output.write(`${line}\n`),
    show: (progress) => {
      if (now() - toldAtMs >= everyMs) tell(progress);
      else untold = progress;
    },
    end: () => {
      if (untold !== null) tell(untold);
    },
  };
}
