import { countFlag, readFlags } from '../flags.ts';

export interface MemoryOptions {
  small: number;
  large: number;
  check: boolean;
  json: boolean;
}

export const memoryUsage = `usage: npm run bench -- memory [options]

  --small N         lines of the file that is compared with, 10000
  --large N         lines of the large one, 250000; the bars are meant for 1000000, which takes some ten minutes
  --check           exit with 1 when a bar is missed
  --json            write the results to bench/results/`;

/** @throws OptionError for the first wrong option. */
export function parseMemoryOptions(args: readonly string[]): MemoryOptions {
  const values = readFlags(args, ['small', 'large']);
  return {
    small: countFlag(values, 'small', 10_000),
    large: countFlag(values, 'large', 250_000),
    check: values['check'] === true,
    json: values['json'] === true,
  };
}
