import { setTimeout as sleep } from 'node:timers/promises';
import { show, spawnChild, type Child } from './child.ts';
import { nightshiftBin } from './paths.ts';

/** When a process counts as started: a line it prints, a URL that answers 200, or a check. */
export type Readiness = RegExp | { url: string } | ((started: Child) => Promise<boolean>);

export interface StartProcessOptions {
  /** `api`, `worker`, `simulator` or another command of `bin/nightshift`. */
  command: string;
  args?: readonly string[];
  /** On top of this process's environment; `undefined` removes a variable. */
  env?: Record<string, string | undefined>;
  cwd?: string;
  /** Default: started is ready. */
  readyWhen?: Readiness;
  /** Default 30,000. */
  readyTimeoutMs?: number;
  onLine?: (line: string) => void;
  /** Default: the repository's `bin/nightshift`. */
  bin?: string;
}

/**
 * Starts `bin/nightshift COMMAND` and waits until it is ready. Its pid is the program's own. If it
 * ends or is not ready in time it is killed, and this rejects with its last lines.
 */
export async function startProcess(options: StartProcessOptions): Promise<Child> {
  const { command, args = [], env, cwd, readyWhen, readyTimeoutMs = 30_000, onLine } = options;
  const child = await spawnChild({
    name: `nightshift ${command}`,
    command: options.bin ?? nightshiftBin,
    args: [command, ...args],
    env: { ...process.env, ...env },
    ...(cwd !== undefined && { cwd }),
    ...(onLine && { onLine }),
  });
  try {
    await untilReady(child, readyWhen, readyTimeoutMs);
  } catch (error) {
    await child.kill9();
    throw error;
  }
  return child;
}

async function untilReady(child: Child, readyWhen: Readiness | undefined, timeoutMs: number) {
  if (readyWhen === undefined) return;
  if (readyWhen instanceof RegExp) {
    await child.waitForLine(readyWhen, timeoutMs);
    return;
  }
  const check =
    typeof readyWhen === 'function'
      ? async () => await readyWhen(child)
      : async () => await answers(readyWhen.url);
  const deadline = performance.now() + timeoutMs;
  while (!(await check().catch(() => false))) {
    if (child.exit) {
      const exit = await child.exited;
      throw new Error(`${child.name} ended (${show(exit)}) before it was ready\n${child.tail()}`);
    }
    if (performance.now() > deadline) {
      throw new Error(`${child.name} is not ready after ${timeoutMs} ms\n${child.tail()}`);
    }
    await sleep(25);
  }
}

async function answers(url: string): Promise<boolean> {
  const response = await fetch(url, { signal: AbortSignal.timeout(2000) });
  await response.body?.cancel();
  return response.status === 200;
}
