import {
  eventually,
  findOrStartRedis,
  startStack,
  type RedisHandle,
  type Stack,
} from '@nightshift/local';
import { configureProvider, inParallel, providerCalls, readJob, submitJob } from './client.ts';
import { isSettled, Ledger, repeats, type ProviderCall } from './ledger.ts';

/** A whole Nightshift on a Redis of its own, with a ledger beside it. */
export interface Stage {
  redis: RedisHandle;
  stack: Stack;
  ledger: Ledger;
  model: string;
  /** Hands in that many jobs, named `PREFIX-N`. */
  submit(prefix: string, count: number): Promise<void>;
  calls(): Promise<ProviderCall[]>;
  latency(ms: number): Promise<void>;
  /** Waits until every acknowledged job is settled, and judges. Resolves to the calls made again. */
  settleAndJudge(timeoutMs: number): Promise<ReturnType<typeof repeats>>;
  stop(): Promise<void>;
}

export async function setStage({
  workers,
  concurrency,
  env = {},
}: {
  workers: number;
  concurrency: number;
  env?: Record<string, string>;
}): Promise<Stage> {
  const redis = await findOrStartRedis({ docker: 'testcontainers', owned: true });
  let stack: Stack;
  try {
    stack = await startStack({
      redisUrl: redis.url,
      workers,
      env: {
        WORKER_CONCURRENCY: String(concurrency),
        LOG_LEVEL: 'info',
        NIGHTSHIFT_API_KEYS: undefined,
        NIGHTSHIFT_CONFIG: undefined,
        ...env,
      },
    });
  } catch (error) {
    await redis.stop();
    throw error;
  }
  const simulatorUrl = String(stack.simulatorUrl);
  const ledger = new Ledger();
  const model = 'gpt-4o-mini';
  return {
    redis,
    stack,
    ledger,
    model,
    submit: async (prefix, count) => {
      const markers = Array.from({ length: count }, (_, n) => `${prefix}-${n}`);
      await inParallel(markers, 32, async (marker) => {
        ledger.acknowledge(
          marker,
          await submitJob(stack.apiUrl, marker, model, AbortSignal.timeout(120_000)),
        );
      });
    },
    calls: async () => providerCalls(simulatorUrl),
    latency: async (ms) => configureProvider(simulatorUrl, { latency: { kind: 'fixed', ms } }),
    settleAndJudge: async (timeoutMs) => {
      await inParallel([...ledger.acknowledged], 16, async ([marker, id]) => {
        const job = await eventually(
          async () => {
            const seen = await readJob(stack.apiUrl, id);
            return seen !== undefined && isSettled(seen) ? seen : undefined;
          },
          { timeoutMs, describe: `${id} to settle` },
        );
        ledger.see(marker, job);
      });
      const calls = await providerCalls(simulatorUrl);
      ledger.judge(calls);
      return repeats(calls);
    },
    stop: async () => {
      await stack.stop();
      await redis.stop();
    },
  };
}
