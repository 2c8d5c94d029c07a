import { parseArgs } from 'node:util';
import { OptionError } from './option-error.ts';

export type Flags = Readonly<Record<string, string | boolean | undefined>>;

/**
 * `--NAME VALUE` for each of `texts`, and the two switches that every measurement has, `--check` and `--json`.
 * @throws OptionError for what is not known.
 */
export function readFlags(args: readonly string[], texts: readonly string[]): Flags {
  const options = {
    ...Object.fromEntries(texts.map((name) => [name, { type: 'string' } as const])),
    check: { type: 'boolean' },
    json: { type: 'boolean' },
  } as const;
  try {
    return parseArgs({ args: [...args], options }).values;
  } catch (error) {
    throw new OptionError((error as Error).message);
  }
}

/** @throws OptionError that names the flag. */
export function countFlag(flags: Flags, name: string, standard: number, least = 1): number {
  const given = flags[name];
  return given === undefined ? standard : wholeNumber(name, String(given), least);
}

/** @throws OptionError that names the flag. */
export function wholeNumber(name: string, text: string, least: number): number {
  const number = Number(text);
  if (text !== '' && Number.isInteger(number) && number >= least) return number;
  throw new OptionError(`--${name}: must be a whole number of at least ${least}, got "${text}"`);
}
