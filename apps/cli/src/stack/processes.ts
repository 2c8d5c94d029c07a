import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startProcess, type Child, type Env, type Exit, type Readiness } from '@nightshift/local';
import { openLogFile, type LogFile } from './log-file.ts';

export interface ProcessSpec {
  /** Names the log file; the same name again goes on in the same file. */
  name: string;
  command: 'worker' | 'api' | 'simulator';
  args?: readonly string[];
  /** On top of what all have; `undefined` removes a variable. */
  env?: Env;
  readyWhen: Readiness;
}

export interface Processes {
  /** Starts one and resolves when it is ready. Rejects with its last lines, or once `stop()` was called. */
  start(spec: ProcessSpec): Promise<Child>;
  /** SIGKILL; its end is then not unexpected. */
  kill9(child: Child): Promise<Exit>;
  /** Path of each log file, in the order of the first start. */
  readonly logs: readonly string[];
  /**
   * Workers first, which finish or hand back what they hold, then API, then simulator. When it resolves Redis can end.
   * Can be called twice.
   */
  stop(): Promise<void>;
  /** SIGKILL to all that are ready, for a `stop()` that takes too long. */
  forceStop(): void;
}

export interface ProcessesOptions {
  logDir: string;
  /** For all of them. */
  env: Env;
  /** A process ended that nobody asked to end. */
  onUnexpectedEnd: (name: string, exit: Exit) => void;
  /** Every line of a process that is ready. */
  onLine?: (name: string, line: string) => void;
  /** Default: the repository's `bin/nightshift`. */
  bin?: string;
}

const STOP_ORDER = ['worker', 'api', 'simulator'] as const;

/**
 * A dead worker's helper hands its jobs back within about a second. It needs Redis for that, and without one waits for
 * it, so Redis must not end before.
 */
const HELPER_MS = 3000;

/** The processes of one stack: each writes its log file, all end together. */
export function createProcesses(options: ProcessesOptions): Processes {
  const { logDir, env, onUnexpectedEnd, onLine, bin } = options;
  const files = new Map<string, LogFile>();
  const started: { spec: ProcessSpec; child: Child }[] = [];
  const starting = new Set<Promise<unknown>>();
  const killed = new Set<Child>();
  let workerDiedAtMs = -Infinity;
  let stopping: Promise<void> | undefined;

  const launch = async (spec: ProcessSpec): Promise<Child> => {
    const file = files.get(spec.name) ?? openLogFile(join(logDir, `${spec.name}.log`));
    files.set(spec.name, file);
    let isReady = false;
    const child = await startProcess({
      command: spec.command,
      args: spec.args ?? [],
      env: { ...env, ...spec.env },
      readyWhen: spec.readyWhen,
      onLine: (line) => {
        file.write(line);
        if (isReady) onLine?.(spec.name, line);
      },
      ...(bin !== undefined && { bin }),
    });
    isReady = true;
    started.push({ spec, child });
    void child.exited.then((exit) => {
      if (spec.command === 'worker' && exit.code !== 0) workerDiedAtMs = performance.now();
      if (stopping === undefined && !killed.has(child)) onUnexpectedEnd(spec.name, exit);
    });
    return child;
  };

  const stopAll = async (): Promise<void> => {
    // What is just being started can be stopped only once it is there; its rejection is its caller's.
    while (starting.size > 0) await Promise.allSettled(starting);
    const ends: PromiseSettledResult<unknown>[] = [];
    for (const command of STOP_ORDER) {
      const group = started.filter(({ spec }) => spec.command === command);
      ends.push(...(await Promise.allSettled(group.map(async ({ child }) => await child.stop()))));
    }
    await sleep(Math.max(0, workerDiedAtMs + HELPER_MS - performance.now()));
    for (const file of files.values()) file.close();
    const failed = ends.find((end) => end.status === 'rejected');
    if (failed) throw failed.reason;
  };

  return {
    start: async (spec) => {
      if (stopping !== undefined) throw new Error(`${spec.name}: not started, the stack is ending`);
      const launched = launch(spec);
      starting.add(launched);
      try {
        return await launched;
      } finally {
        starting.delete(launched);
      }
    },
    kill9: async (child) => {
      killed.add(child);
      return await child.kill9();
    },
    get logs() {
      return [...files.values()].map(({ path }) => path);
    },
    stop: async () => {
      stopping ??= stopAll();
      await stopping;
    },
    forceStop: () => {
      for (const { child } of started) child.signal('SIGKILL');
    },
  };
}
