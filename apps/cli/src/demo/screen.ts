import { columnsOf, createLiveBlock, type LiveOutput } from '../live-block.ts';

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

const PLAIN_EVERY_MS = 2000;
const INDENT = '  ';

/** @param now milliseconds, rising */
export function createScreen(
  output: LiveOutput = process.stdout,
  now: () => number = () => performance.now(),
): Screen {
  const isTerminal = output.isTTY === true;
  const block = createLiveBlock(output);
  let lastPlain = '';
  let printedPlain = '';
  let printedAtMs = -Infinity;

  return {
    say: block.say,
    show: (live, plain) => {
      if (isTerminal) {
        block.show(live.map((line) => `${INDENT}${line}`));
        return;
      }
      lastPlain = plain;
      if (now() - printedAtMs < PLAIN_EVERY_MS) return;
      printedAtMs = now();
      printedPlain = plain;
      output.write(`${INDENT}${plain}\n`);
    },
    endShow: () => {
      if (lastPlain !== printedPlain) output.write(`${INDENT}${lastPlain}\n`);
      block.end();
      printedPlain = lastPlain;
    },
    // A line that wraps could not be taken back.
    get columns() {
      return columnsOf(output) - INDENT.length - 1;
    },
    get color() {
      return isTerminal && output.hasColors?.() === true;
    },
  };
}
