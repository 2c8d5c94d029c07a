import { SettingError } from '@nightshift/shared/config';
import { versionText } from './version.ts';
import { readSwitches, usageText, UsageError } from './flags.ts';

type Environment = Readonly<Record<string, string | undefined>>;
/** Resolves with the exit code, or with nothing for 0. */
type Command = (environment: Environment, args: readonly string[]) => Promise<number | void>;

interface Entry {
  about: string;
  load: () => Promise<Command>;
}

const SET_UP = 'It is set up by its environment: REDIS_URL, NIGHTSHIFT_CONFIG, LOG_LEVEL';
const API = `One API process. ${SET_UP}, HOST, PORT, NIGHTSHIFT_API_KEYS.`;
const WORKER = `One worker process. ${SET_UP}, OPENAI_API_KEY, OPENAI_BASE_URL, WORKER_CONCURRENCY.`;

/** A process that is set up by its environment alone: any flag is a mistake. */
const withoutFlags =
  (name: string, about: string, run: Command): Command =>
  async (environment, args) => {
    if (!readSwitches(args, {}).has('help')) return await run(environment, args);
    console.log(usageText(name, about, {}));
  };

/** Each command loads only what it needs: a worker process carries no web server. */
const commands: Readonly<Record<string, Entry>> = {
  run: {
    about: 'submits a bulk run, watches it, writes its results',
    load: async () => (await import('./bulk/commands/run.ts')).runRun,
  },
  submit: {
    about: 'submits a bulk run, and prints the id of its batch',
    load: async () => (await import('./bulk/commands/submit.ts')).runSubmit,
  },
  watch: {
    about: 'shows how a batch gets on until it has ended',
    load: async () => (await import('./bulk/commands/watch.ts')).runWatch,
  },
  results: {
    about: 'writes the results of a batch, also while it runs',
    load: async () => (await import('./bulk/commands/results.ts')).runResults,
  },
  cancel: {
    about: 'cancels a batch',
    load: async () => (await import('./bulk/commands/cancel.ts')).runCancel,
  },
  retry: {
    about: 'does again what failed in a batch',
    load: async () => (await import('./bulk/commands/retry.ts')).runRetry,
  },
  list: {
    about: 'lists batches and why each is waiting',
    load: async () => (await import('./bulk/commands/list.ts')).runList,
  },
  lanes: {
    about: 'lists lanes and why each is held up',
    load: async () => (await import('./bulk/commands/lanes.ts')).runLanes,
  },
  workers: {
    about: 'lists worker processes',
    load: async () => (await import('./bulk/commands/workers.ts')).runWorkers,
  },
  pause: {
    about: 'pauses a batch or a lane',
    load: async () => (await import('./bulk/commands/pause.ts')).runPause,
  },
  resume: {
    about: 'resumes a batch or a lane',
    load: async () => (await import('./bulk/commands/resume.ts')).runResume,
  },
  doctor: {
    about: 'checks the installation and names faults with their fixes',
    load: async () => (await import('./doctor/command.ts')).runDoctor,
  },
  api: {
    about: 'one API process',
    load: async () => withoutFlags('api', API, (await import('@nightshift/api')).runApi),
  },
  worker: {
    about: 'one worker process',
    load: async () =>
      withoutFlags('worker', WORKER, (await import('@nightshift/worker')).runWorker),
  },
  simulator: {
    about: 'the simulated provider',
    load: async () => (await import('@nightshift/simulator')).runSimulator,
  },
  demo: {
    about: 'a sample run on a stack of its own',
    load: async () => (await import('./demo/demo.ts')).runDemo,
  },
  start: {
    about: 'the stack for local use',
    load: async () => (await import('./start.ts')).runStart,
  },
};

const [name = 'help', ...args] = process.argv.slice(2);
const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
if (command === undefined) {
  const list = Object.entries(commands).map(([word, { about }]) => `  ${word.padEnd(12)}${about}`);
  const usage = `usage: nightshift <command>\n\n${list.join('\n')}\n\nnightshift <command> --help describes a command, nightshift --version prints the version.`;
  if (name === 'help' || name === '--help' || name === '-h') console.log(usage);
  else if (name === '--version' || name === '-v') console.log(versionText());
  else {
    console.error(
      `nightshift: command must be one of ${Object.keys(commands).join(', ')}, got ${JSON.stringify(name)}`,
    );
    process.exitCode = 2;
  }
} else {
  try {
    const run = await command.load();
    const exitCode = await run(process.env, args);
    if (typeof exitCode === 'number') process.exitCode = exitCode;
  } catch (error) {
    if (!(error instanceof SettingError || error instanceof UsageError)) throw error;
    // One line that names the setting; a stack would bury it.
    console.error(`nightshift ${name}: ${error.message}`);
    process.exitCode = error instanceof UsageError ? 2 : 1;
  }
}
