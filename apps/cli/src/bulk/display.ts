import type { BatchProgress } from './progress.ts';
import { progressRecord } from './progress-line.ts';
import { progressView } from './progress-view.ts';

/** Where progress is shown: the standard error, so that the standard output carries data alone. */
export interface DisplayOutput {
  write(text: string): unknown;
  isTTY?: boolean | undefined;
  columns?: number | undefined;
  hasColors?: () => boolean;
}

export interface Display {
  /** A line that stays. */
  say(line: string): void;
  show(progress: BatchProgress): void;
  /** Leaves the last figures standing. Can be called twice. */
  end(): void;
}

const UP = (lines: number): string => (lines > 0 ? `\u001B[${lines}A` : '');
const CLEAR_BELOW = '\r\u001B[J';

/** On a terminal a few lines that are drawn anew; elsewhere a JSON line every `everyMs` and one at the end. */
export function createDisplay(
  output: DisplayOutput,
  { isTerminal, everyMs, now }: { isTerminal: boolean; everyMs: number; now: () => number },
): Display {
  return isTerminal ? onTerminal(output) : asLines(output, everyMs, now);
}

function onTerminal(output: DisplayOutput): Display {
  let shown: string[] = [];
  // A terminal that became narrower has broken the lines that stand on it.
  const rows = (): number => {
    const columns = columnsOf(output);
    return shown.reduce((sum, line) => sum + Math.max(1, Math.ceil(line.length / columns)), 0);
  };
  const clear = (): void => {
    if (shown.length > 0) output.write(`${UP(rows())}${CLEAR_BELOW}`);
  };
  let colored = '';
  return {
    say: (line) => {
      clear();
      output.write(`${line}\n${shown.length > 0 ? colored : ''}`);
    },
    show: (progress) => {
      clear();
      // One column less: some terminals break a line that fills them.
      const columns = columnsOf(output) - 1;
      shown = progressView(progress, { columns, color: false });
      const color = output.hasColors?.() ?? false;
      colored = `${progressView(progress, { columns, color }).join('\n')}\n`;
      output.write(colored);
    },
    end: () => {
      shown = [];
    },
  };
}

const columnsOf = ({ columns }: DisplayOutput): number => Math.max(21, columns || 80);

function asLines(output: DisplayOutput, everyMs: number, now: () => number): Display {
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
