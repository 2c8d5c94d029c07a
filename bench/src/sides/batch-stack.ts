import { eventually, type Env } from '@nightshift/local';
import { profileEnvironment } from '../overhead/side.ts';
import { createBatchClient } from './batch-client.ts';
import { startOwnNightshift, type OwnNightshift } from './own-nightshift.ts';

export interface BatchStackOptions {
  /** Base URL of the provider, with `/v1`. */
  providerUrl: string;
  /** Provider calls in flight at once in the worker. */
  concurrency: number;
  /** Where API and worker leave V8 CPU profiles when they end, or null. */
  profileDir?: string | null;
  env?: Env;
}

/** An API, one worker and a Redis of their own, up and idle, with default settings, and a client's calls. */
export interface BatchStack {
  own: OwnNightshift;
  client: ReturnType<typeof createBatchClient>;
  pids: { api: number; worker: number; redis?: number };
  /** Waits until a batch stands at one of these, looking at Redis every 10 ms; rejects when it failed. */
  untilStatus(batchId: string, statuses: readonly string[], timeoutMs: number): Promise<void>;
  stop(): Promise<void>;
}

const LOOK_EVERY_MS = 10;

export async function startBatchStack(options: BatchStackOptions): Promise<BatchStack> {
  await using stack = new AsyncDisposableStack();
  const { providerUrl, concurrency, profileDir = null, env = {} } = options;
  const own = await startOwnNightshift(providerUrl, {
    ...env,
    ...profileEnvironment(profileDir, 'nightshift-api'),
  });
  stack.defer(async () => own.stop());
  const { redis, processes, reader, keys } = own;
  const worker = await processes.startWorker({
    WORKER_CONCURRENCY: String(concurrency),
    ...profileEnvironment(profileDir, 'nightshift-worker'),
  });
  const client = createBatchClient(processes.apiUrl);

  const kept = stack.move();
  return {
    own,
    client,
    pids: {
      api: processes.api.pid,
      worker: worker.pid,
      ...(redis.pid !== undefined && { redis: redis.pid }),
    },
    untilStatus: async (batchId, statuses, timeoutMs) => {
      const look = async (): Promise<string> => {
        const status = (await reader.hget(keys.batch(batchId), 'status')) ?? '';
        return [...statuses, 'failed', 'expired'].includes(status) ? status : '';
      };
      const status = await eventually(look, {
        timeoutMs,
        intervalMs: LOOK_EVERY_MS,
        describe: `a batch that is ${statuses.join(' or ')}`,
      });
      if (statuses.includes(status)) return;
      const { errors } = await client.read(batchId);
      throw new Error(`the batch is ${status}: ${JSON.stringify(errors)}`);
    },
    stop: async () => kept.disposeAsync(),
  };
}
