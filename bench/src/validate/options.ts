import { parseArgs } from 'node:util';
import { OptionError } from '../option-error.ts';
import { contents, type Content } from './input-file.ts';

export interface ValidateOptions {
  lines: number;
  megabytes: number;
  rounds: number;
  content: Content;
  check: boolean;
  json: boolean;
}

export const validateUsage = `usage: npm run bench -- validate [options]

  --lines N         lines of the input file, 50000
  --megabytes N     its size, 200
  --rounds N        rounds of each side, alternating, 7
  --content NAME    text: chat messages; tokens: arrays of numbers for embeddings
  --check           exit with 1 when a bar is missed
  --json            write the results to bench/results/`;

/** @throws OptionError for the first wrong option. */
export function parseValidateOptions(args: readonly string[]): ValidateOptions {
  const values = readFlags(args);
  const count = (name: 'lines' | 'megabytes' | 'rounds', standard: number): number => {
    const given = values[name];
    if (given === undefined) return standard;
    const number = Number(given);
    if (Number.isInteger(number) && number >= 1) return number;
    throw new OptionError(`--${name}: must be a whole number of at least 1, got "${given}"`);
  };
  const content = contents.find((known) => known === (values.content ?? 'text'));
  if (content === undefined) {
    throw new OptionError(
      `--content: must be one of ${contents.join(', ')}, got "${values.content}"`,
    );
  }
  return {
    lines: count('lines', 50_000),
    megabytes: count('megabytes', 200),
    rounds: count('rounds', 7),
    content,
    check: values.check === true,
    json: values.json === true,
  };
}

interface Flags {
  lines?: string;
  megabytes?: string;
  rounds?: string;
  content?: string;
  check?: boolean;
  json?: boolean;
}

function readFlags(args: readonly string[]): Flags {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  try {
    return parseArgs({
      args: [...args],
      options: {
        lines: text,
        megabytes: text,
        rounds: text,
        content: text,
        check: flag,
        json: flag,
      },
    }).values;
  } catch (error) {
    throw new OptionError((error as Error).message);
  }
}
