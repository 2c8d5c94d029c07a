import { findOrStartRedis, startStack } from '@nightshift/local';
import { createKeys } from '@nightshift/shared/redis';
import { Redis } from 'ioredis';
import { request } from 'undici';
import { profileEnvironment, textOf, type Side, type SideOptions } from './side.ts';

const KEY_PREFIX = 'nightshift';
/** Whose jobs they are without API keys. */
const TENANT = 'default';

interface StoredJob {
  status: string;
  response: { status_code: number; body: unknown } | null;
}

/** `bin/nightshift api` and `bin/nightshift worker` with their default settings. */
export async function startNightshiftSide(options: SideOptions): Promise<Side> {
  await using stack = new AsyncDisposableStack();
  const redis = await findOrStartRedis({ docker: 'testcontainers', owned: true });
  stack.defer(async () => redis.stop());
  const processes = await startStack({
    redisUrl: redis.url,
    workers: 0,
    simulator: false,
    env: {
      OPENAI_BASE_URL: options.providerUrl,
      OPENAI_API_KEY: 'simulated',
      NIGHTSHIFT_KEY_PREFIX: KEY_PREFIX,
      // Settings of the caller's shell would measure something else than the defaults.
      NIGHTSHIFT_CONFIG: undefined,
      NIGHTSHIFT_API_KEYS: undefined,
      NIGHTSHIFT_BLOBS: undefined,
      DURABILITY: undefined,
      LOG_LEVEL: undefined,
      ...profileEnvironment(options.profileDir, 'nightshift-api'),
    },
  });
  stack.defer(async () => processes.stop());
  const worker = await processes.startWorker({
    WORKER_CONCURRENCY: String(options.concurrency),
    ...profileEnvironment(options.profileDir, 'nightshift-worker'),
  });
  const reader = new Redis(redis.url);
  stack.defer(() => reader.disconnect());
  const { counts } = createKeys(KEY_PREFIX).tenant(TENANT);

  const kept = stack.move();
  return {
    name: 'nightshift',
    origin: processes.apiUrl,
    path: '/v1/jobs',
    pids: {
      api: processes.api.pid,
      worker: worker.pid,
      ...(redis.pid !== undefined && { redis: redis.pid }),
    },
    wrap: (chatRequest) => JSON.stringify({ body: chatRequest }),
    completed: async () => Number(await reader.hget(counts, 'completed')),
    failed: async () => {
      const ended = await reader.hmget(counts, 'failed', 'cancelled', 'expired');
      return ended.reduce((sum, count) => sum + Number(count), 0);
    },
    answerOf: async (accepted) => {
      const { id } = JSON.parse(accepted) as { id: string };
      const answer = await request(`${processes.apiUrl}/v1/jobs/${id}`);
      const { status, response } = (await answer.body.json()) as StoredJob;
      if (status !== 'completed') throw new Error(`nightshift: ${id} is ${status}`);
      return textOf(response?.body);
    },
    stop: async () => kept.disposeAsync(),
  };
}
