import { fileURLToPath } from 'node:url';
import { findOrStartRedis, startProcess, type Child } from '@nightshift/local';
import { Queue, type JobsOptions } from 'bullmq';
import { Redis } from 'ioredis';
import { addAll } from '../../baseline/add-all.ts';
import { BASELINE_QUEUE } from '../../baseline/settings.ts';
import type { PacingSide, PacingSideOptions, SideName } from './side.ts';

const programs = {
  plain: new URL('../../baseline/worker.ts', import.meta.url),
  limited: new URL('../../baseline/limited-worker.ts', import.meta.url),
};

/** How one baseline uses BullMQ. */
interface Way {
  name: SideName;
  program: keyof typeof programs;
  concurrency: number;
  env: Record<string, string>;
  bulk: JobsOptions;
  interactive: JobsOptions;
  restMs: number;
}

/** BullMQ looks at delayed jobs and failed ones by itself; it takes any number for attempts. */
const WITHOUT_END = 1_000_000_000;

/** The tutorial's way: five attempts with exponential backoff, and whatever the SDK retries by itself. */
export async function startTutorial(options: PacingSideOptions): Promise<PacingSide> {
  const jobs: JobsOptions = { attempts: 5, backoff: { type: 'exponential', delay: 1000 } };
  return startQueue(options, {
    name: 'tutorial',
    program: 'plain',
    concurrency: options.regime.concurrency,
    env: {},
    bulk: jobs,
    interactive: jobs,
    restMs: 10_000,
  });
}

/** So many calls in flight in the whole fleet, whatever happens. */
export async function startFixed(
  options: PacingSideOptions,
  inFlight: number,
): Promise<PacingSide> {
  return startQueue(options, {
    name: `fixed-${inFlight}`,
    program: 'plain',
    concurrency: Math.max(1, Math.round(inFlight / options.workers)),
    env: {},
    bulk: { attempts: 5 },
    interactive: { attempts: 5 },
    restMs: 1000,
  });
}

/** BullMQ's limiter set to exactly what the limits allow a minute; a refused job tries again without end. */
export async function startLimiter(options: PacingSideOptions): Promise<PacingSide> {
  const { limits, concurrency } = options.regime;
  const perMinute = Math.min(
    limits.requestsPerMinute ?? Infinity,
    (limits.tokensPerMinute ?? Infinity) / options.meanCharge,
  );
  const jobs: JobsOptions = { attempts: WITHOUT_END, backoff: { type: 'custom' } };
  return startQueue(options, {
    name: 'limiter',
    program: 'limited',
    concurrency,
    env: { LIMITER_MAX: String(Math.floor(perMinute)) },
    bulk: { ...jobs, priority: 10 },
    interactive: { ...jobs, priority: 1 },
    restMs: 65_000,
  });
}

async function startQueue(options: PacingSideOptions, way: Way): Promise<PacingSide> {
  await using stack = new AsyncDisposableStack();
  const redis = await findOrStartRedis({ docker: 'testcontainers', owned: true });
  stack.defer(async () => redis.stop());
  const queue = new Queue(BASELINE_QUEUE, {
    connection: { host: new URL(redis.url).hostname, port: Number(new URL(redis.url).port) },
  });
  stack.defer(async () => queue.close());
  const reader = new Redis(redis.url);
  stack.defer(() => reader.disconnect());
  const workers: Child[] = [];
  stack.defer(async () => {
    // A tutorial's worker waits for its jobs, and those may wait for minutes.
    await Promise.all(workers.map(async (worker) => worker.kill9()));
  });
  const base = `bull:${BASELINE_QUEUE}`;

  const kept = stack.move();
  return {
    name: way.name,
    preload: async (jobs) => {
      await addAll(
        queue,
        jobs.map(({ body }) => body),
        way.bulk,
      );
    },
    startWorkers: async () => {
      const start = async (): Promise<void> => {
        const worker = await startProcess({
          bin: process.execPath,
          command: fileURLToPath(programs[way.program]),
          env: {
            ...way.env,
            REDIS_URL: redis.url,
            CONCURRENCY: String(way.concurrency),
            OPENAI_BASE_URL: options.providerUrl,
          },
          readyWhen: /^worker\.ready$/,
        });
        workers.push(worker);
      };
      await Promise.all(Array.from({ length: options.workers }, start));
    },
    submit: async ({ body }) => {
      await queue.add('completion', body, way.interactive);
      return performance.timeOrigin + performance.now();
    },
    progress: async () => {
      const [completed, lost] = await Promise.all([
        reader.zcard(`${base}:completed`),
        reader.zcard(`${base}:failed`),
      ]);
      return { completed, lost, commands: 2 };
    },
    pids: () => ({
      workers: workers.map(({ pid }) => pid),
      ...(redis.pid !== undefined && { redis: [redis.pid] }),
    }),
    redisUrl: redis.url,
    metricsUrls: () => [],
    restMs: way.restMs,
    stop: async () => kept.disposeAsync(),
  };
}
