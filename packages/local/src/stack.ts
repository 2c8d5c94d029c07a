import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Child } from './child.ts';
import { freePort } from './free-port.ts';
import { startProcess } from './process.ts';

export type Env = Record<string, string | undefined>;

export interface StackOptions {
  redisUrl: string;
  /** How many worker processes; more with `startWorker()`. */
  workers: number;
  /** Arguments and environment of the simulated provider, or false for none (then `env` names one). */
  simulator?: { args?: readonly string[]; env?: Env } | false;
  /** For API and workers, on top of what the stack sets. */
  env?: Env;
  /** Files of the stack. Default: a temporary folder, which `stop()` removes. */
  dataDir?: string;
  /** Default: the repository's `bin/nightshift`. */
  bin?: string;
}

interface WorkerProgram {
  bin: string;
  command: string;
  args: readonly string[];
}

export interface Stack {
  /** `http://127.0.0.1:PORT`, without `/v1`. */
  readonly apiUrl: string;
  /** `http://127.0.0.1:PORT/v1`, or null without a simulator. */
  readonly simulatorUrl: string | null;
  readonly dataDir: string;
  readonly simulator: Child | null;
  readonly api: Child;
  /** All workers ever started, in order, the ended ones too. */
  readonly workers: readonly Child[];
  /** With a program of its own in place of `bin/nightshift worker`, which tells as a worker does when it is ready. */
  startWorker(env?: Env, program?: WorkerProgram): Promise<Child>;
  /** Starts the API again at the same address, after it ended. */
  restartApi(env?: Env): Promise<Child>;
  /** Workers, API, simulator, in this order. Can be called twice. Redis stays. */
  stop(): Promise<void>;
}

const HOST = '127.0.0.1';
const PORT_TRIES = 3;

/** Starts simulator, API and workers as processes on free ports, each ready when this resolves. */
export async function startStack(options: StackOptions): Promise<Stack> {
  const temporary = options.dataDir === undefined;
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'nightshift-data-')));
  const bin = options.bin === undefined ? {} : { bin: options.bin };
  const started: Child[] = [];
  const workers: Child[] = [];
  let stopping: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    stopping ??= (async () => {
      const servers = started.filter((child) => !workers.includes(child)).toReversed();
      const ends = await Promise.allSettled(workers.map(async (child) => await child.stop()));
      for (const child of servers) ends.push(...(await Promise.allSettled([child.stop()])));
      if (temporary) await rm(dataDir, { recursive: true, force: true });
      const failed = ends.find((end) => end.status === 'rejected');
      if (failed) throw failed.reason;
    })();
    await stopping;
  };
  const keep = (child: Child): Child => {
    started.push(child);
    return child;
  };

  try {
    const simulator =
      options.simulator === false ? null : await startSimulator({ ...options.simulator, ...bin });
    if (simulator) keep(simulator.child);
    const env: Env = {
      REDIS_URL: options.redisUrl,
      NIGHTSHIFT_DATA_DIR: dataDir,
      ...(simulator && { OPENAI_BASE_URL: simulator.url, OPENAI_API_KEY: 'simulated' }),
      ...options.env,
    };
    const first = await onFreePort(async (port) => await startApi({ port, env, ...bin }));
    keep(first.child);
    let api = first.child;
    const startWorker: Stack['startWorker'] = async (more = {}, program) => {
      const child = await startProcess({
        ...(program ?? { ...bin, command: 'worker' }),
        env: { ...env, ...more },
        readyWhen: /worker\.ready/,
      });
      workers.push(keep(child));
      return child;
    };
    await Promise.all(Array.from({ length: options.workers }, async () => await startWorker()));
    return {
      apiUrl: `http://${HOST}:${first.port}`,
      simulatorUrl: simulator?.url ?? null,
      dataDir,
      simulator: simulator?.child ?? null,
      get api() {
        return api;
      },
      workers,
      startWorker,
      async restartApi(more = {}) {
        await api.stop();
        api = keep(await startApi({ port: first.port, env: { ...env, ...more }, ...bin }));
        return api;
      },
      stop,
    };
  } catch (error) {
    await stop().catch(() => {});
    throw error;
  }
}

async function startApi(options: { port: number; env: Env; bin?: string }): Promise<Child> {
  const { port, env, ...bin } = options;
  return await startProcess({
    ...bin,
    command: 'api',
    env: { ...env, HOST, PORT: String(port) },
    readyWhen: { url: `http://${HOST}:${port}/readyz` },
  });
}

/** The simulated provider alone: its process and its base URL, `http://127.0.0.1:PORT/v1`. */
export async function startSimulator(options: {
  args?: readonly string[];
  env?: Env;
  bin?: string;
}): Promise<{ child: Child; url: string }> {
  const { args = [], env, ...bin } = options;
  const { child, port } = await onFreePort(
    async (port) =>
      await startProcess({
        ...bin,
        command: 'simulator',
        args,
        env: { ...env, HOST, PORT: String(port) },
        readyWhen: { url: `http://${HOST}:${port}/v1/models` },
      }),
  );
  return { child, url: `http://${HOST}:${port}/v1` };
}

/** Between looking for a free port and listening on it somebody else may take it. */
async function onFreePort(
  start: (port: number) => Promise<Child>,
): Promise<{ child: Child; port: number }> {
  for (let tries = 1; ; tries += 1) {
    const port = await freePort();
    try {
      return { child: await start(port), port };
    } catch (error) {
      const taken = error instanceof Error && error.message.includes('EADDRINUSE');
      if (!taken || tries === PORT_TRIES) throw error;
    }
  }
}
