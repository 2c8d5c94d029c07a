import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { watch } from './watchdog.ts';

/** How a process ended: one of the two is null. */
export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** A started process. All of its methods can be called again after it ended. */
export interface Child {
  readonly name: string;
  readonly pid: number;
  /** The last lines of its stdout and stderr, oldest first; grows while it runs. */
  readonly lines: readonly string[];
  readonly exited: Promise<Exit>;
  /** Null while it runs. */
  readonly exit: Exit | null;
  /** The first line, past or to come, that matches. Rejects after `timeoutMs` or when it ends. */
  waitForLine(pattern: RegExp, timeoutMs?: number): Promise<string>;
  /** Does nothing once it has ended, so a reused process id is never hit. */
  signal(name: NodeJS.Signals): void;
  /** SIGTERM, then waits. After `timeoutMs` (30,000) it is killed and this rejects. */
  stop(timeoutMs?: number): Promise<Exit>;
  /** SIGKILL, then waits. */
  kill9(): Promise<Exit>;
  /** The last lines, indented, for an error message. */
  tail(count?: number): string;
}

export interface SpawnChildOptions {
  name: string;
  command: string;
  args: readonly string[];
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  /** A folder that goes with the process if this one dies without stopping it. */
  removeIfOrphaned?: string;
  onLine?: (line: string) => void;
}

const KEPT_LINES = 50_000;

/** Starts a program in its own process group, watched. Rejects if it cannot be executed. */
export async function spawnChild(options: SpawnChildOptions): Promise<Child> {
  const { name, command, args, cwd, env = process.env } = options;
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
    env,
    ...(cwd !== undefined && { cwd }),
  });
  try {
    await once(child, 'spawn');
  } catch (error) {
    throw new Error(`${name}: ${command} cannot be started: ${(error as Error).message}`, {
      cause: error,
    });
  }
  const pid = child.pid as number;
  const dog = watch(pid, options.removeIfOrphaned);
  const lines: string[] = [];
  const listeners = new Set<(line: string) => void>();
  if (options.onLine) listeners.add(options.onLine);
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream, crlfDelay: Infinity }).on('line', (line) => {
      lines.push(line);
      if (lines.length > KEPT_LINES) lines.splice(0, KEPT_LINES / 10);
      for (const listener of listeners) listener(line);
    });
  }

  let exit: Exit | null = null;
  const closed = once(child, 'close');
  const exited = once(child, 'exit').then(async ([code, signal]): Promise<Exit> => {
    exit = { code: code as number | null, signal: signal as NodeJS.Signals | null };
    dog.release();
    // Its last words arrive after its end, but a grandchild may hold the pipes open for ever.
    await Promise.race([closed, sleep(250)]);
    return exit;
  });

  const self: Child = {
    name,
    pid,
    lines,
    exited,
    get exit() {
      return exit;
    },
    async waitForLine(pattern, timeoutMs = 30_000) {
      const matches = (line: string) => new RegExp(pattern.source, pattern.flags).test(line);
      const past = lines.find(matches);
      if (past !== undefined) return past;
      const stop = new AbortController();
      let listener: (line: string) => void = () => {};
      const seen = new Promise<string>((resolve) => {
        listener = (line) => {
          if (matches(line)) resolve(line);
        };
        listeners.add(listener);
      });
      try {
        return await Promise.race([
          seen,
          exited.then((end) => {
            throw new Error(`${name} ended (${show(end)}) before ${pattern}\n${self.tail()}`);
          }),
          sleep(timeoutMs, undefined, { signal: stop.signal }).then(() => {
            throw new Error(`${name}: no line like ${pattern} in ${timeoutMs} ms\n${self.tail()}`);
          }),
        ]);
      } finally {
        stop.abort();
        listeners.delete(listener);
      }
    },
    signal(signalName) {
      if (exit === null) child.kill(signalName);
    },
    async stop(timeoutMs = 30_000) {
      self.signal('SIGTERM');
      const stop = new AbortController();
      const late = sleep(timeoutMs, 'late' as const, { signal: stop.signal }).catch(() => null);
      const first = await Promise.race([exited, late]);
      stop.abort();
      if (first !== 'late') return await exited;
      await self.kill9();
      throw new Error(`${name} did not end within ${timeoutMs} ms of SIGTERM\n${self.tail()}`);
    },
    async kill9() {
      self.signal('SIGKILL');
      return await exited;
    },
    tail: (count = 20) =>
      lines
        .slice(-count)
        .map((line) => `    ${line}`)
        .join('\n'),
  };
  return self;
}

/** "code 1" or "SIGKILL". */
export const show = (exit: Exit): string => exit.signal ?? `code ${exit.code}`;
