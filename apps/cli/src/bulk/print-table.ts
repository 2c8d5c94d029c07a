import { columnsOf } from '../live-block.ts';
import type { Session } from './session.ts';
import { tableLines, type TextTable } from './text-table.ts';

/** Writes a table cut to the width of the terminal, or with `--json` one JSON line for each item. */
export function printTable<Thing>(
  { line, stdout, say }: Pick<Session, 'line' | 'stdout' | 'say'>,
  things: readonly Thing[],
  table: (things: readonly Thing[]) => TextTable,
  whenNone: string,
): void {
  if (line.has('json')) {
    for (const thing of things) stdout.write(`${JSON.stringify(thing)}\n`);
    return;
  }
  if (things.length === 0) {
    say(whenNone);
    return;
  }
  const width = stdout.isTTY ? columnsOf(stdout) : Infinity;
  stdout.write(`${tableLines(table(things), width).join('\n')}\n`);
}
