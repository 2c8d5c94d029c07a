import { SettingError } from '@nightshift/shared/config';

type Environment = Readonly<Record<string, string | undefined>>;
type Command = (environment: Environment, args: readonly string[]) => Promise<void>;

/** Each command loads only what it needs: a worker process carries no web server. */
const commands: Readonly<Record<string, { about: string; load: () => Promise<Command> }>> = {
  api: { about: 'one API process', load: async () => (await import('@nightshift/api')).runApi },
  worker: {
    about: 'one worker process',
    load: async () => (await import('@nightshift/worker')).runWorker,
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
  const usage = `usage: nightshift <command>\n\n${list.join('\n')}`;
  if (name === 'help' || name === '--help' || name === '-h') console.log(usage);
  else {
    console.error(
      `nightshift: command must be one of ${Object.keys(commands).join(', ')}, got ${JSON.stringify(name)}`,
    );
    process.exitCode = 2;
  }
} else {
  try {
    await (
      await command.load()
    )(process.env, args);
  } catch (error) {
    if (!(error instanceof SettingError)) throw error;
    // One line that names the setting; a stack would bury it.
    console.error(`nightshift ${name}: ${error.message}`);
    process.exitCode = 1;
  }
}
