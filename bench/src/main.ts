import { beginUsage } from './begin/options.ts';
import { bulkUsage } from './bulk/options.ts';
import { fairnessUsage } from './fairness/options.ts';
import { memoryUsage } from './memory/options.ts';
import { OptionError } from './option-error.ts';
import { overheadUsage } from './overhead/options.ts';
import { pacingUsage } from './pacing/options.ts';
import { validateUsage } from './validate/options.ts';

interface Measurement {
  about: string;
  usage: string;
  /** Resolves to the exit code. */
  load: () => Promise<(args: readonly string[]) => Promise<number>>;
}

const measurements: Readonly<Record<string, Measurement>> = {
  begin: {
    about: 'from the end of an upload to a batch in progress, and the memory that takes',
    usage: beginUsage,
    load: async () => (await import('./begin/begin.ts')).runBegin,
  },
  bulk: {
    about: "a batch's lines per second and CPU per line beside the tutorial's way",
    usage: bulkUsage,
    load: async () => (await import('./bulk/bulk.ts')).runBulk,
  },
  fairness: {
    about: 'a small batch beside a large one in one lane',
    usage: fairnessUsage,
    load: async () => (await import('./fairness/fairness.ts')).runFairness,
  },
  memory: {
    about: "Redis' and the worker's memory with few lines and with many",
    usage: memoryUsage,
    load: async () => (await import('./memory/memory.ts')).runMemory,
  },
  overhead: {
    about: "throughput, CPU per job and pickup beside the tutorial's way",
    usage: overheadUsage,
    load: async () => (await import('./overhead/overhead.ts')).runOverhead,
  },
  pacing: {
    about: "how much of a provider's limits a fleet uses, and how often it is refused",
    usage: pacingUsage,
    load: async () => (await import('./pacing/pacing.ts')).runPacing,
  },
  validate: {
    about: 'checking an input file beside a bare read and JSON.parse of it',
    usage: validateUsage,
    load: async () => (await import('./validate/validate.ts')).runValidate,
  },
};

const [name, ...args] = process.argv.slice(2);
const measurement =
  name !== undefined && Object.hasOwn(measurements, name) ? measurements[name] : undefined;
if (measurement === undefined) {
  const list = Object.entries(measurements).map(
    ([word, { about }]) => `  ${word.padEnd(12)}${about}`,
  );
  console.log(
    `usage: npm run bench -- <measurement> [options]\n\n${list.join('\n')}\n\nHow each is taken: bench/METHOD.md`,
  );
  const wrong = name !== undefined && name !== 'help' && name !== '--help';
  if (wrong) console.error(`\nbench: there is no measurement ${JSON.stringify(name)}`);
  process.exitCode = wrong ? 2 : 0;
} else if (args.includes('--help')) {
  console.log(measurement.usage);
} else {
  try {
    process.exitCode = await (await measurement.load())(args);
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    console.error(`bench ${name}: ${error.message}`);
    process.exitCode = 2;
  }
}
