import {
  eventually,
  findOrStartRedis,
  freePort,
  startProcess,
  type Child,
} from '@nightshift/local';
import { inputFile, names, setBatchStageOn, type Batch, type BatchStage } from './batch-stage.ts';
import { configureProvider, readJob, submitJob } from './client.ts';
import type { JobSeen } from './ledger.ts';
import { parseLog, type LogLine } from './night-checks.ts';
import { startProviderProxy, type ProviderProxy } from './provider-proxy.ts';

interface Waiting {
  reason: string;
  message: string;
  until: number | null;
}
interface NightJob extends JobSeen {
  waiting_for: Waiting | null;
}
type NightBatch = Batch & { waiting_for: Waiting | null };

/** A whole Nightshift that reaches its provider through a proxy, observed through everything that reports its state. */
export interface Night extends BatchStage {
  proxy: ProviderProxy;
  /** Starts one more, with metrics of its own. */
  addWorker(): Promise<Child>;
  batch(id: string): Promise<NightBatch>;
  /** Submits a batch with this many lines, from `PREFIX-0`, and watches it with `nightshift watch`. */
  begin(prefix: string, count: number, model?: string): Promise<RunningBatch>;
  submit(marker: string, model: string): Promise<string>;
  job(id: string): Promise<NightJob>;
  settledJob(id: string, timeoutMs: number): Promise<NightJob>;
  /** A list such as `lanes` or `workers`. */
  list(what: string): Promise<Record<string, unknown>[]>;
  /** Prometheus' text of the API, and of each worker that lives. */
  metrics(): Promise<string>;
  workerMetrics(): Promise<string[]>;
  /** A command of `bin/nightshift`, as the operator of this stack would run it. */
  command(name: string, ...args: string[]): Promise<Child>;
  /** All that its processes have logged. */
  log(): LogLine[];
}

export interface RunningBatch {
  id: string;
  ids: string[];
  watch: Child;
}

interface NightOptions {
  workers?: number;
  /** Calls at once of each worker. */
  concurrency?: number;
  latency?: unknown;
  /** On top of the defaults. */
  config?: object;
  env?: Record<string, string>;
}

/** Several processes at a time start so slowly on a small machine that none is ready in time. */
let starting: Promise<unknown> = Promise.resolve();

/** Runs on its own stack, which is removed afterwards in any case. */
export async function onNight(
  options: NightOptions,
  play: (night: Night) => Promise<void>,
): Promise<void> {
  const started = starting.then(async () => setNight(options));
  starting = started.catch(() => {
    // The test that wanted it says so.
  });
  const night = await started;
  try {
    await play(night);
  } finally {
    await night.stop();
  }
}

async function setNight(options: NightOptions): Promise<Night> {
  const { workers = 2, concurrency = 16, latency, config = {}, env = {} } = options;
  const proxy = await startProviderProxy();
  const stage = await setBatchStageOn(
    await findOrStartRedis({ docker: 'testcontainers', owned: true }),
    {
      workers: 0,
      // The pauses between attempts are those of production.
      config: { retry: {}, ...config },
      env: {
        OPENAI_BASE_URL: proxy.url,
        OPENAI_API_KEY: 'simulated',
        WORKER_CONCURRENCY: String(concurrency),
        WORKER_DRAIN_MS: '2000',
        ...env,
      },
    },
  ).catch(async (error: unknown) => {
    await proxy.stop();
    throw error;
  });
  const simulatorUrl = String(stage.stack.simulatorUrl);
  proxy.forwardTo(simulatorUrl);
  const metricsPorts = new Map<Child, number>();
  const commands: Child[] = [];
  const stop = async (): Promise<void> => {
    const ends = [...commands.map(async (child) => child.kill9()), stage.stop()];
    const failed = (await Promise.allSettled(ends)).find(({ status }) => status === 'rejected');
    await proxy.stop();
    if (failed?.status === 'rejected') throw failed.reason;
  };
  const addWorker = async (): Promise<Child> => {
    const port = await freePort();
    const worker = await stage.stack.startWorker({ WORKER_PORT: String(port) });
    metricsPorts.set(worker, port);
    return worker;
  };
  const night = {
    ...stage,
    proxy,
    addWorker,
    stop,
    ...asksFor(stage, metricsPorts, commands, { OPENAI_BASE_URL: proxy.url, ...env }),
  };
  try {
    if (latency !== undefined) await configureProvider(simulatorUrl, { latency });
    for (let n = 0; n < workers; n += 1) await addWorker();
  } catch (error) {
    await stop().catch(() => {});
    throw error;
  }
  return night;
}

function asksFor(
  stage: BatchStage,
  metricsPorts: ReadonlyMap<Child, number>,
  commands: Child[],
  env: Record<string, string>,
) {
  const { stack, redis } = stage;
  const read = async (path: string): Promise<unknown> => {
    const answer = await stage.call(path);
    if (!answer.ok)
      throw new Error(`GET ${path} answered ${answer.status}: ${await answer.text()}`);
    return await answer.json();
  };
  const command: Night['command'] = async (name, ...args) => {
    const child = await startProcess({
      command: name,
      args,
      env: {
        REDIS_URL: redis.url,
        NIGHTSHIFT_URL: stack.apiUrl,
        NIGHTSHIFT_DATA_DIR: stack.dataDir,
        NIGHTSHIFT_CONFIG: stage.configFile,
        OPENAI_API_KEY: 'simulated',
        ...env,
      },
    });
    commands.push(child);
    return child;
  };
  return {
    command,
    batch: async (id: string) => (await read(`/batches/${id}`)) as NightBatch,
    begin: async (prefix: string, count: number, model?: string): Promise<RunningBatch> => {
      const ids = names(prefix, count);
      const file = await stage.upload(inputFile(ids, model));
      const { id } = await stage.create({ input_file_id: file });
      return { id, ids, watch: await command('watch', id, '--every', '1') };
    },
    submit: async (marker: string, model: string) =>
      submitJob(stack.apiUrl, marker, model, AbortSignal.timeout(60_000)),
    job: async (id: string) => (await read(`/jobs/${id}`)) as NightJob,
    settledJob: async (id: string, timeoutMs: number) =>
      eventually(
        async () => {
          const job = (await readJob(stack.apiUrl, id)) as NightJob | undefined;
          return job !== undefined && !['queued', 'in_progress'].includes(job.status) && job;
        },
        { timeoutMs, intervalMs: 200, describe: `${id} to settle` },
      ),
    list: async (what: string) =>
      ((await read(`/${what}`)) as { data: Record<string, unknown>[] }).data,
    metrics: async () => (await fetch(`${stack.apiUrl}/metrics`)).text(),
    workerMetrics: async () =>
      Promise.all(
        [...metricsPorts]
          .filter(([worker]) => worker.exit === null)
          .map(async ([, port]) => (await fetch(`http://127.0.0.1:${port}/metrics`)).text()),
      ),
    log: () => parseLog([stack.api, ...stack.workers].flatMap(({ lines }) => lines)),
  };
}
