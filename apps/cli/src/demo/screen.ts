export interface Screen {
  /** A line that stays. */
  say(line: string): void;
  /** Replaces what was shown before on a terminal; elsewhere `plain` is printed, every other second at most. */
  show(live: readonly string[], plain: string): void;
  /** Leaves what is shown last. */
  endShow(): void;
  /** How wide a line may be that is shown. */
  readonly columns: number;
  readonly color: boolean;
}

export interface Output {
  write(text: string): unknown;
  isTTY?: boolean;
  columns?: number;
  hasColors?: () => boolean;
}

const PLAIN_EVERY_MS = 2000;
const INDENT = '  ';
/** What a terminal is taken for that tells no width, or 0. */
const USUAL_COLUMNS = 80;

/** @param now milliseconds, rising */
export function createScreen(
  output: Output = process.stdout,
  now: () => number = () => performance.now(),
): Screen {
  const isTerminal = output.isTTY === true;
  let shown: readonly string[] = [];
  let lastPlain = '';
  let printedPlain = '';
  let printedAtMs = -Infinity;

  const erased = (): string => {
    if (shown.length === 0) return '';
    // Back to the first line that is shown, and nothing from there on.
    const up = shown.length > 1 ? `\u001B[${shown.length - 1}A` : '';
    return `\r${up}\u001B[J`;
  };
  return {
    say: (line) => {
      if (!isTerminal) output.write(`${line}\n`);
      else output.write(`${erased()}${line}\n${shown.join('\n')}`);
    },
    show: (live, plain) => {
      if (isTerminal) {
        const lines = live.map((line) => `${INDENT}${line}`);
        output.write(`${erased()}${lines.join('\n')}`);
        shown = lines;
        return;
      }
      lastPlain = plain;
      if (now() - printedAtMs < PLAIN_EVERY_MS) return;
      printedAtMs = now();
      printedPlain = plain;
      output.write(`${INDENT}${plain}\n`);
    },
    endShow: () => {
      if (shown.length > 0) output.write('\n');
      else if (lastPlain !== printedPlain) output.write(`${INDENT}${lastPlain}\n`);
      shown = [];
      printedPlain = lastPlain;
    },
    // A line that wraps could not be taken back.
    get columns() {
      return (output.columns || USUAL_COLUMNS) - INDENT.length - 1;
    },
    get color() {
      return isTerminal && output.hasColors?.() === true;
    },
  };
}
