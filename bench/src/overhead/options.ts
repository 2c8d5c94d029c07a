import { countFlag, readFlags } from '../flags.ts';
import { OptionError } from '../option-error.ts';

export interface OverheadOptions {
  jobs: number;
  connections: number;
  concurrency: number;
  rounds: number;
  warmupJobs: number;
  pickups: number;
  part: 'all' | 'throughput' | 'pickup';
  check: boolean;
  json: boolean;
  profileDir: string | null;
}

export const overheadUsage = `usage: npm run bench -- overhead [options]

  --jobs N          jobs per round, 5000
  --connections N   keep-alive connections that submit, 64
  --concurrency N   provider calls in flight in the worker, 64
  --rounds N        rounds of each side, alternating, 3
  --warmup N        jobs before each measurement, not counted, 1000
  --pickups N       single jobs on an idle system, 200
  --part NAME       all, throughput or pickup
  --check           exit with 1 when a bar is missed
  --json            write the results to bench/results/
  --profile DIR     leave V8 CPU profiles of APIs and workers in DIR; spoils the figures`;

const FLAGS = [
  'jobs',
  'connections',
  'concurrency',
  'rounds',
  'warmup',
  'pickups',
  'part',
  'profile',
];

/** @throws OptionError for the first wrong option. */
export function parseOverheadOptions(args: readonly string[]): OverheadOptions {
  const values = readFlags(args, FLAGS);
  const count = (name: string, standard: number): number => countFlag(values, name, standard);
  const part = values['part'] ?? 'all';
  if (part !== 'all' && part !== 'throughput' && part !== 'pickup') {
    throw new OptionError(`--part: must be all, throughput or pickup, got "${part}"`);
  }
  return {
    jobs: count('jobs', 5000),
    connections: count('connections', 64),
    concurrency: count('concurrency', 64),
    rounds: count('rounds', 3),
    warmupJobs: count('warmup', 1000),
    pickups: count('pickups', 200),
    part,
    check: values['check'] === true,
    json: values['json'] === true,
    profileDir: (values['profile'] as string | undefined) ?? null,
  };
}
