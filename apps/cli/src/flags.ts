import { parseArgs } from 'node:util';

/** A wrong command line. Its message is one line that names the argument. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Name, without the dashes, → what it does. */
export type Switches = Readonly<Record<string, string>>;

/**
 * The switches that were given; `help` is always one of them, and `-h` the same.
 * @throws UsageError for the first argument that the command does not take.
 */
export function readSwitches(args: readonly string[], known: Switches): ReadonlySet<string> {
  const { tokens } = parseArgs({
    args: [...args],
    options: { help: { type: 'boolean', short: 'h' } },
    strict: false,
    tokens: true,
  });
  const takes = [...Object.keys(known), 'help'].map((name) => `--${name}`).join(', ');
  const given = new Set<string>();
  for (const token of tokens) {
    if (token.kind === 'option-terminator') continue;
    if (token.kind === 'positional') {
      throw new UsageError(`${JSON.stringify(token.value)} is not expected: this takes ${takes}`);
    }
    if (token.name !== 'help' && !Object.hasOwn(known, token.name)) {
      throw new UsageError(`${token.rawName} is not a flag of this command: it takes ${takes}`);
    }
    if (token.value !== undefined) {
      throw new UsageError(`${token.rawName} takes no value, got ${JSON.stringify(token.value)}`);
    }
    given.add(token.name);
  }
  return given;
}

/** What `--help` prints. */
export function usageText(command: string, about: string, known: Switches): string {
  const all = { ...known, help: 'this text' };
  const list = Object.entries(all).map(([name, text]) => `  --${name.padEnd(10)}${text}`);
  return `usage: nightshift ${command} [flags]\n\n${about}\n\n${list.join('\n')}`;
}
