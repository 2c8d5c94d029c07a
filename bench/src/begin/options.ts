import { countFlag, readFlags } from '../flags.ts';

export interface BeginOptions {
  lines: number;
  megabytes: number;
  rounds: number;
  check: boolean;
  json: boolean;
}

export const beginUsage = `usage: npm run bench -- begin [options]

  --lines N         lines of the input file, 50000
  --megabytes N     its size, 200
  --rounds N        rounds, each of a bare pass and a stack of its own, 5
  --check           exit with 1 when a bar is missed
  --json            write the results to bench/results/`;

/** @throws OptionError for the first wrong option. */
export function parseBeginOptions(args: readonly string[]): BeginOptions {
  const values = readFlags(args, ['lines', 'megabytes', 'rounds']);
  return {
    lines: countFlag(values, 'lines', 50_000),
    megabytes: countFlag(values, 'megabytes', 200),
    rounds: countFlag(values, 'rounds', 5),
    check: values['check'] === true,
    json: values['json'] === true,
  };
}
