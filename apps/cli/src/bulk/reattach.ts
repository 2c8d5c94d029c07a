import type { CommandLine } from './command-line.ts';
import { tableOptions } from './input/plan.ts';
import type { Output } from './output/write-results.ts';

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

/** The same for a command that writes to the output of this one, joined to the same rows. */
export function commandToWrite(
  self: string,
  words: readonly string[],
  line: CommandLine,
  output: Output | null,
): string {
  const command = commandFor(self, words, line, rowsOf(output));
  return output?.isMerged === true ? `${command} --merged` : command;
}

/** The file whose rows are joined to the answers; null also for input from a pipe, which cannot be read again. */
export function rowsOf(output: Output | null): string | null {
  if (output === null || output.joined === null || output.format === 'jsonl') return null;
  const { name, path } = output.joined.source;
  return name === path ? path : null;
}

/** Quoted, if a shell would take it for anything but itself. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
