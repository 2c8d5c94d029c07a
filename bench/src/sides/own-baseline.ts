import { fileURLToPath } from 'node:url';
import {
  findOrStartRedis,
  startProcess,
  type Child,
  type Env,
  type RedisHandle,
} from '@nightshift/local';
import { Redis } from 'ioredis';

const programs = {
  api: new URL('../baseline/api.ts', import.meta.url),
  worker: new URL('../baseline/worker.ts', import.meta.url),
};

/** A Redis of the baseline's own; its programs are started by the caller. */
export interface OwnBaseline {
  redis: RedisHandle;
  reader: Redis;
  /** Runs a program of `bench/src/baseline`, which says `NAME.ready`. */
  start(name: keyof typeof programs, env: Env): Promise<Child>;
  stop(): Promise<void>;
}

export async function startOwnBaseline(): Promise<OwnBaseline> {
  await using stack = new AsyncDisposableStack();
  const redis = await findOrStartRedis({ docker: 'testcontainers', owned: true });
  stack.defer(async () => redis.stop());
  const reader = new Redis(redis.url);
  stack.defer(() => reader.disconnect());

  const kept = stack.move();
  return {
    redis,
    reader,
    start: async (name, env) => {
      const child = await startProcess({
        bin: process.execPath,
        command: fileURLToPath(programs[name]),
        env: { REDIS_URL: redis.url, ...env },
        readyWhen: new RegExp(`^${name}\\.ready$`),
      });
      kept.defer(async () => void (await child.stop()));
      return child;
    },
    stop: async () => kept.disposeAsync(),
  };
}
