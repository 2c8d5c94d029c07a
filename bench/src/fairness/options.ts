import { countFlag, readFlags } from '../flags.ts';

export interface FairnessOptions {
  small: number;
  large: number;
  latencyMs: number;
  rounds: number;
  check: boolean;
  json: boolean;
}

export const fairnessUsage = `usage: npm run bench -- fairness [options]

  --small N         lines of the small batch, 500
  --large N         lines of the large one beside it, 20000
  --latency-ms N    what every call takes, 100
  --rounds N        rounds, 3
  --check           exit with 1 when a bar is missed
  --json            write the results to bench/results/`;

/** @throws OptionError for the first wrong option. */
export function parseFairnessOptions(args: readonly string[]): FairnessOptions {
  const values = readFlags(args, ['small', 'large', 'latency-ms', 'rounds']);
  return {
    small: countFlag(values, 'small', 500),
    large: countFlag(values, 'large', 20_000),
    latencyMs: countFlag(values, 'latency-ms', 100),
    rounds: countFlag(values, 'rounds', 3),
    check: values['check'] === true,
    json: values['json'] === true,
  };
}
