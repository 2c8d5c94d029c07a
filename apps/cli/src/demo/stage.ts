import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findOrStartRedis, freePort, type Child, type RedisHandle } from '@nightshift/local';
import { withoutOwnSettings, type DemoSettings, type Environment } from '../config.ts';
import { whyNotListen } from '../stack/ports.ts';
import { createProcesses, type Processes } from '../stack/processes.ts';
import {
  apiSpec,
  apiUrl,
  simulatedProvider,
  simulatorSpec,
  workerSpec,
} from '../stack/services.ts';
import { simulatorScript } from './sample/simulator-script.ts';

/** The stack that a demo runs on. */
export interface Stage {
  readonly apiUrl: string;
  /** Base URL with `/v1`, or null with a real provider. */
  readonly simulatorUrl: string | null;
  readonly redis: RedisHandle;
  /** Holds the logs and the results; stays when the demo ends. */
  readonly folder: string;
  /** Paths, one for each process. */
  readonly logs: readonly string[];
  /** The first two. */
  readonly workers: readonly Child[];
  /** SIGKILL, as an out-of-memory killer would. */
  killWorker(worker: Child): Promise<void>;
  startWorker(): Promise<Child>;
}

export interface StageOptions {
  settings: DemoSettings;
  environment: Environment;
  runId: string;
  /** Calls at once in each worker. */
  concurrency: number;
  say: (line: string) => void;
  onUnexpectedEnd: (message: string) => void;
  /** Checked between the steps of the start. */
  signal: AbortSignal;
}

/** Everything that was started so far, and how to end it. Can be ended twice, and while it starts. */
export interface StageHandle {
  readonly ready: Promise<Stage>;
  stop(): Promise<void>;
  forceStop(): void;
  /** After `stop()`: removes the folder and all that is in it. */
  discard(): Promise<void>;
}

const HOST = '127.0.0.1';

/** Of every key in Redis. */
export const keyPrefix = (runId: string): string => `nightshift-${runId}`;

/** Ctrl-C should not take long; what is in flight is handed back. */
const DRAIN_MS = 1500;

export function startStage(options: StageOptions): StageHandle {
  let folder: string | undefined;
  let redis: RedisHandle | undefined;
  let processes: Processes | undefined;
  const discard = async (): Promise<void> => {
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  };

  const start = async (): Promise<Stage> => {
    const { settings, environment, signal, say } = options;
    const home = await mkdtemp(join(tmpdir(), 'nightshift-demo-'));
    folder = home;
    try {
      redis = await findOrStartRedis({ docker: 'compose', announce: say });
    } catch (error) {
      await discard();
      throw error;
    }
    signal.throwIfAborted();
    const crew = createProcesses({
      logDir: join(home, 'logs'),
      env: {
        ...withoutOwnSettings(environment),
        REDIS_URL: redis.url,
        NIGHTSHIFT_DATA_DIR: join(home, 'data'),
        // A Redis of the user's may hold the jobs of a stack of theirs.
        NIGHTSHIFT_KEY_PREFIX: keyPrefix(options.runId),
        WORKER_CONCURRENCY: String(options.concurrency),
        WORKER_DRAIN_MS: String(DRAIN_MS),
      },
      onUnexpectedEnd: (name, exit) => {
        const how = exit.signal ?? `code ${exit.code}`;
        options.onUnexpectedEnd(
          `${name} ended unexpectedly (${how}): see ${join(home, 'logs', `${name}.log`)}`,
        );
      },
    });
    processes = crew;
    let provider = {};
    let simulatorUrl: string | null = null;
    if (settings.provider.simulated) {
      const script = join(home, 'simulator.json');
      await writeFile(script, `${JSON.stringify(simulatorScript, null, 2)}\n`);
      const { spec, url } = await simulatorSpec(['--script', script]);
      await crew.start(spec);
      provider = simulatedProvider(url);
      simulatorUrl = url;
    }
    signal.throwIfAborted();
    let workerCount = 0;
    const startWorker = async (): Promise<Child> => {
      workerCount += 1;
      return await crew.start({ ...workerSpec(`worker-${workerCount}`), env: provider });
    };
    const [port, ...workers] = await Promise.all([
      startApi(crew, settings.port, provider),
      startWorker(),
      startWorker(),
    ]);
    return {
      apiUrl: apiUrl(HOST, port),
      simulatorUrl,
      redis,
      folder: home,
      get logs() {
        return crew.logs.toSorted();
      },
      workers,
      killWorker: async (worker) => {
        await crew.kill9(worker);
      },
      startWorker,
    };
  };

  const ready = start();
  // Its rejection is for whoever waits for `ready`; `stop()` may be called without.
  ready.catch(() => {});
  let stopping: Promise<void> | undefined;
  return {
    ready,
    stop: async () => {
      stopping ??= (async () => {
        await ready.catch(() => {});
        const ends = await Promise.allSettled([processes?.stop()]);
        ends.push(...(await Promise.allSettled([redis?.stop()])));
        const failed = ends.find((end) => end.status === 'rejected');
        if (failed) throw failed.reason;
      })();
      await stopping;
    },
    forceStop: () => processes?.forceStop(),
    discard,
  };
}

const PORT_TRIES = 3;

/** On the wished port if it is free, else on any. Between the look and the listening somebody may take it. */
async function startApi(processes: Processes, wished: number, provider: object): Promise<number> {
  for (let tries = 1; ; tries += 1) {
    const isFree = tries === 1 && (await whyNotListen(HOST, wished)) === null;
    const port = isFree ? wished : await freePort();
    const spec = apiSpec(HOST, port);
    try {
      await processes.start({ ...spec, env: { ...spec.env, ...provider } });
      return port;
    } catch (error) {
      const wasTaken = (await whyNotListen(HOST, port)) === 'EADDRINUSE';
      if (!wasTaken || tries === PORT_TRIES) throw error;
    }
  }
}
