import { ConfigError, flagOf, parseConfig, variableNames, type SimulatorConfig } from './config.ts';
import { startSimulator } from './simulator.ts';

/** Where the process writes to and what ends it, replaceable in tests. */
export interface ProcessSeams {
  out(line: string): void;
  err(line: string): void;
  /** Resolves when the process is to stop. */
  stopped: Promise<unknown>;
}

const usage = (): string =>
  [
    'nightshift simulator: an OpenAI-compatible provider to rehearse with.',
    '',
    'Flags, each also a variable:',
    ...variableNames.map((name) => `  --${flagOf(name).padEnd(20)} ${name}`),
  ].join('\n');

/**
 * Runs a simulator until SIGTERM or SIGINT. A wrong variable, or a port that is taken, is one line
 * on standard error and leaves `process.exitCode` at 1.
 */
export async function runSimulator(
  env: Readonly<Record<string, string | undefined>>,
  argv: readonly string[],
): Promise<void> {
  const exitCode = await runUntilStopped(env, argv, processSeams());
  if (exitCode !== 0) process.exitCode = exitCode;
}

/** The same without the process; resolves with the exit code. */
export async function runUntilStopped(
  env: Readonly<Record<string, string | undefined>>,
  argv: readonly string[],
  seams: ProcessSeams,
): Promise<0 | 1> {
  if (argv.includes('--help')) {
    seams.out(usage());
    return 0;
  }
  let config: SimulatorConfig;
  try {
    config = parseConfig(env, argv);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    seams.err(`nightshift simulator: ${error.message}`);
    return 1;
  }
  try {
    const simulator = await startSimulator(config);
    seams.out(`simulator listening on ${simulator.url}`);
    await seams.stopped;
    await simulator.stop();
    return 0;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    seams.err(`nightshift simulator: cannot listen on ${config.host}:${config.port}: ${reason}`);
    return 1;
  }
}

function processSeams(): ProcessSeams {
  return {
    out: (line) => process.stdout.write(`${line}\n`),
    err: (line) => process.stderr.write(`${line}\n`),
    stopped: new Promise((resolve) => {
      process.once('SIGTERM', resolve);
      process.once('SIGINT', resolve);
    }),
  };
}
