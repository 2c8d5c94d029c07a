import { countFlag, readFlags } from '../flags.ts';
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
  const values = readFlags(args, ['lines', 'megabytes', 'rounds', 'content']);
  const count = (name: string, standard: number): number => countFlag(values, name, standard);
  const content = contents.find((known) => known === (values['content'] ?? 'text'));
  if (content === undefined) {
    throw new OptionError(
      `--content: must be one of ${contents.join(', ')}, got "${values['content']}"`,
    );
  }
  return {
    lines: count('lines', 50_000),
    megabytes: count('megabytes', 200),
    rounds: count('rounds', 7),
    content,
    check: values['check'] === true,
    json: values['json'] === true,
  };
}
