import { countFlag, readFlags } from '../flags.ts';

export interface BulkOptions {
  lines: number;
  concurrency: number;
  rounds: number;
  warmupLines: number;
  check: boolean;
  json: boolean;
  profileDir: string | null;
}

export const bulkUsage = `usage: npm run bench -- bulk [options]

  --lines N         lines of the input file, 20000
  --concurrency N   provider calls in flight in the worker, 64
  --rounds N        rounds of each side, alternating, 3
  --warmup N        lines of a first file, not counted, 3000
  --check           exit with 1 when a bar is missed
  --json            write the results to bench/results/
  --profile DIR     leave V8 CPU profiles of API and workers in DIR; spoils the figures`;

/** @throws OptionError for the first wrong option. */
export function parseBulkOptions(args: readonly string[]): BulkOptions {
  const values = readFlags(args, ['lines', 'concurrency', 'rounds', 'warmup', 'profile']);
  const count = (name: string, standard: number): number => countFlag(values, name, standard);
  return {
    lines: count('lines', 20_000),
    concurrency: count('concurrency', 64),
    rounds: count('rounds', 3),
    warmupLines: count('warmup', 3000),
    check: values['check'] === true,
    json: values['json'] === true,
    profileDir: (values['profile'] as string | undefined) ?? null,
  };
}
