import {
  findOrStartRedis,
  startStack,
  type Env,
  type RedisHandle,
  type Stack,
} from '@nightshift/local';
import { createKeys } from '@nightshift/shared/redis';
import { Redis } from 'ioredis';

const KEY_PREFIX = 'nightshift';
/** Whose work it is without API keys. */
const TENANT = 'default';

/** A Redis and an API of ours, with default settings, up and idle; workers are started by the caller. */
export interface OwnNightshift {
  redis: RedisHandle;
  processes: Stack;
  /** To look at what `keys` names. */
  reader: Redis;
  keys: ReturnType<ReturnType<typeof createKeys>['tenant']>;
  stop(): Promise<void>;
}

export async function startOwnNightshift(
  providerUrl: string,
  env: Env = {},
): Promise<OwnNightshift> {
  await using stack = new AsyncDisposableStack();
  const redis = await findOrStartRedis({ docker: 'testcontainers', owned: true });
  stack.defer(async () => redis.stop());
  const processes = await startStack({
    redisUrl: redis.url,
    workers: 0,
    simulator: false,
    env: {
      OPENAI_BASE_URL: providerUrl,
      OPENAI_API_KEY: 'simulated',
      NIGHTSHIFT_KEY_PREFIX: KEY_PREFIX,
      // Settings of the caller's shell would measure something else than the defaults.
      NIGHTSHIFT_CONFIG: undefined,
      NIGHTSHIFT_API_KEYS: undefined,
      NIGHTSHIFT_BLOBS: undefined,
      DURABILITY: undefined,
      LOG_LEVEL: undefined,
      ...env,
    },
  });
  stack.defer(async () => processes.stop());
  const reader = new Redis(redis.url);
  stack.defer(() => reader.disconnect());

  const kept = stack.move();
  return {
    redis,
    processes,
    reader,
    keys: createKeys(KEY_PREFIX).tenant(TENANT),
    stop: async () => kept.disposeAsync(),
  };
}
