import { freePort } from '@nightshift/local';
import { openLoad, type Accepted } from '../../measure/load.ts';
import { startOwnNightshift } from '../../sides/own-nightshift.ts';
import type { BenchJob } from '../workload.ts';
import type { PacingSide, PacingSideOptions } from './side.ts';

const CONNECTIONS = 32;

/** One API and so many workers as `bin/nightshift` starts them, told nothing of any limit. */
export async function startNightshift(options: PacingSideOptions): Promise<PacingSide> {
  const { providerUrl, regime, workers } = options;
  await using stack = new AsyncDisposableStack();
  const own = await startOwnNightshift(providerUrl);
  stack.defer(async () => own.stop());
  const { redis, processes, reader } = own;
  const submitAll = async (bodies: readonly string[], connections: number): Promise<Accepted[]> => {
    // Connections of their own: one that rested while the jobs ran would have been closed.
    const load = await openLoad({ origin: processes.apiUrl, path: '/v1/jobs', connections });
    try {
      return await load.submitAll(bodies);
    } finally {
      load.close();
    }
  };
  const { counts } = own.keys;
  const metricsUrls: string[] = [];

  const kept = stack.move();
  return {
    name: 'nightshift',
    preload: async (jobs) => {
      const bodies = jobs.map((job) => wrap(job, 'bulk'));
      await submitAll(bodies, CONNECTIONS);
    },
    startWorkers: async () => {
      const ports = await Promise.all(Array.from({ length: workers }, freePort));
      await Promise.all(
        ports.map(async (port) =>
          processes.startWorker({
            WORKER_CONCURRENCY: String(regime.concurrency),
            WORKER_PORT: String(port),
          }),
        ),
      );
      metricsUrls.push(...ports.map((port) => `http://127.0.0.1:${port}/metrics`));
    },
    submit: async (job) => {
      const [accepted] = await submitAll([wrap(job, 'interactive')], 1);
      return performance.timeOrigin + (accepted?.at ?? Number.NaN);
    },
    progress: async () => {
      const all = await reader.hmget(counts, 'completed', 'failed', 'cancelled', 'expired');
      const [completed = 0, ...lost] = all.map(Number);
      return { completed, lost: lost.reduce((sum, count) => sum + count, 0), commands: 1 };
    },
    pids: () => ({
      api: [processes.api.pid],
      workers: processes.workers.map(({ pid }) => pid),
      ...(redis.pid !== undefined && { redis: [redis.pid] }),
    }),
    redisUrl: redis.url,
    metricsUrls: () => metricsUrls,
    restMs: 10_000,
    stop: async () => kept.disposeAsync(),
  };
}

function wrap({ body }: BenchJob, priority: 'bulk' | 'interactive'): string {
  return JSON.stringify({ priority, body });
}
