import { systemClock, type Clock } from '@nightshift/shared/clock';
import { UsageError } from '../flags.ts';
import { Interrupted } from '../stack/signals.ts';
import { createBulkClient, type BulkClient } from './client.ts';
import {
  helpText,
  readCommandLine,
  type CommandHelp,
  type CommandLine,
  type OptionTable,
} from './command-line.ts';
import { createDisplay, type Display } from './display.ts';
import { CommandError, exitCodes } from './exit-codes.ts';
import { InputProblem } from './input/input-problem.ts';
import { createPatience, type Patience } from './patience.ts';
import { readServer, type Server } from './server.ts';
import { numberOf } from './values.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** What a command for bulk runs has at hand. */
export interface Session {
  environment: Environment;
  line: CommandLine;
  server: Server;
  client: BulkClient;
  patience: Patience;
  display: Display;
  clock: Clock;
  /** Aborted by Ctrl-C. */
  signal: AbortSignal;
  stdout: NodeJS.WriteStream;
  /** How this program was called: `bin/nightshift`. */
  self: string;
  /** For people; never among the data. */
  say(line: string): void;
  /** What is said when a signal ends the command from now on. */
  onInterrupt(text: string): void;
}

export const displayOptions: OptionTable = {
  every: {
    value: 'SECONDS',
    about: 'between two JSON lines of progress, where there is no terminal (10)',
  },
  quiet: { short: 'q', about: 'no progress, only what went wrong' },
};

/** A closed pipe: what a shell reports for a program that SIGPIPE ended. */
const CLOSED_PIPE = 141;

/** A command whose help, flags, signals and errors are as those of all others. */
export function bulkCommand(
  help: CommandHelp,
  run: (session: Session) => Promise<number>,
): (environment: Environment, args: readonly string[]) => Promise<number> {
  return async (environment, args) => {
    const line = readCommandLine(args, help);
    if (line === 'help') {
      console.log(helpText(help));
      return exitCodes.success;
    }
    const server = readServer(line.one('url'), environment);
    const everyMs =
      (numberOf(line.one('every'), '--every', { least: 1, most: 86_400, whole: false }) ?? 10) *
      1000;
    const { stdout, stderr } = process;
    stdout.on('error', (error: NodeJS.ErrnoException) => {
      process.exit(error.code === 'EPIPE' ? CLOSED_PIPE : exitCodes.failure);
    });
    // Nobody reads what is said any more; the work goes on.
    stderr.on('error', () => {});
    const stop = new AbortController();
    const release = onSignal((reason) => stop.abort(reason));
    const clock = systemClock;
    const isTerminal = stderr.isTTY && environment['TERM'] !== 'dumb';
    const shown = createDisplay(stderr, { isTerminal, everyMs, now: () => clock.monotonic() });
    const display = line.has('quiet') ? { ...shown, say: () => {}, show: () => {} } : shown;
    const { signal } = stop;
    let atInterrupt = 'Stopped; nothing was submitted.';
    const session: Session = {
      environment,
      line,
      server,
      client: createBulkClient(server, signal),
      patience: createPatience({ url: server.url, clock, signal, say: display.say }),
      display,
      clock,
      signal,
      stdout,
      self: environment['NIGHTSHIFT_SELF'] || 'nightshift',
      say: (text) => display.say(text),
      onInterrupt: (text) => {
        atInterrupt = text;
      },
    };
    try {
      return await run(session);
    } catch (error) {
      display.end();
      if (signal.reason instanceof Interrupted) {
        shown.say(atInterrupt);
        return signal.reason.exitCode;
      }
      if (error instanceof InputProblem) throw new UsageError(error.message, { cause: error });
      if (!(error instanceof CommandError) && !isSystemError(error)) throw error;
      console.error(`nightshift ${help.usage.split(' ')[0]}: ${error.message}`);
      return exitCodes.failure;
    } finally {
      release();
    }
  };
}

/** A full disk, a folder that may not be written to: told by their message, which names the file. */
const isSystemError = (error: unknown): error is Error =>
  error instanceof Error && typeof (error as NodeJS.ErrnoException).syscall === 'string';

/** The first signal asks to stop, the second one ends the process. */
function onSignal(stop: (reason: Interrupted) => void): () => void {
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  const listeners = names.map((name) => {
    const listener = (): void => {
      stop(new Interrupted(name));
      process.off(name, listener);
    };
    process.on(name, listener);
    return { name, listener };
  });
  return () => {
    for (const { name, listener } of listeners) process.off(name, listener);
  };
}
