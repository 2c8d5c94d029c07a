import type { CommandLine } from './command-line.ts';
import { tableOptions } from './input/plan.ts';

/** Flags that a command to copy must repeat, because nothing else knows them. */
const KEPT = ['output', 'output-format', 'force', 'url', 'every', 'quiet', 'json'] as const;

/**
 * The command that goes on where this one ends.
 * @param rows the table whose rows the answers are to stand beside, or null
 */
export function commandFor(
  self: string,
  words: readonly string[],
  line: CommandLine,
  rows: string | null,
): string {
  const names = [...KEPT, ...(rows === null ? [] : Object.keys(tableOptions))];
  const flags = names.flatMap((name) => {
    const value = line.one(name);
    if (value === undefined) return [];
    return [name === 'output' ? '-o' : `--${name}`, ...(value === '' ? [] : [value])];
  });
  const joined = rows === null ? [] : ['--input', rows];
  return [self, ...words, ...flags, ...joined].map(shellWord).join(' ');
}

/** Quoted, if a shell would take it for anything but itself. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
