import { stripVTControlCharacters } from 'node:util';

/** Where something live is shown. */
export interface LiveOutput {
  write(text: string): unknown;
  isTTY?: boolean | undefined;
  columns?: number | undefined;
  hasColors?: () => boolean;
}

/** Lines at the end of a terminal that are drawn anew, below lines that stay. */
export interface LiveBlock {
  /** A line that stays, above the block. */
  say(line: string): void;
  show(lines: readonly string[]): void;
  /** Leaves what is shown last. Can be called twice. */
  end(): void;
}

const UP = (lines: number): string => `\u001B[${lines}A`;
const CLEAR_BELOW = '\r\u001B[J';
/** What a terminal is taken for that tells no width, or 0. */
const USUAL_COLUMNS = 80;

export const columnsOf = ({ columns }: Pick<LiveOutput, 'columns'>): number =>
  columns || USUAL_COLUMNS;

export function createLiveBlock(output: LiveOutput): LiveBlock {
  let shown: readonly string[] = [];
  const clear = (): void => {
    if (shown.length === 0) return;
    // A terminal that became narrower has broken the lines that stand on it.
    const columns = columnsOf(output);
    const rows = shown.map((line) =>
      Math.max(1, Math.ceil(stripVTControlCharacters(line).length / columns)),
    );
    output.write(`${UP(rows.reduce((sum, more) => sum + more, 0))}${CLEAR_BELOW}`);
  };
  const painted = (): string => shown.map((line) => `${line}\n`).join('');
  return {
    say: (line) => {
      clear();
      output.write(`${line}\n${painted()}`);
    },
    show: (lines) => {
      clear();
      shown = lines;
      output.write(painted());
    },
    end: () => {
      shown = [];
    },
  };
}
