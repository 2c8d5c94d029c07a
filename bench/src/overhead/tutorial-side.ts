import { fileURLToPath } from 'node:url';
import { findOrStartRedis, freePort, startProcess } from '@nightshift/local';
import { Redis } from 'ioredis';
import { BASELINE_QUEUE } from '../baseline/settings.ts';
import { profileEnvironment, textOf, type Side, type SideOptions } from './side.ts';

const programs = {
  api: new URL('../baseline/api.ts', import.meta.url),
  worker: new URL('../baseline/worker.ts', import.meta.url),
};

/** The two processes of `bench/src/baseline`. */
export async function startTutorialSide(options: SideOptions): Promise<Side> {
  await using stack = new AsyncDisposableStack();
  const redis = await findOrStartRedis({ docker: 'testcontainers', owned: true });
  stack.defer(async () => redis.stop());
  const port = await freePort();
  const start = async (name: 'api' | 'worker') => {
    const child = await startProcess({
      bin: process.execPath,
      command: fileURLToPath(programs[name]),
      env: {
        REDIS_URL: redis.url,
        PORT: String(port),
        CONCURRENCY: String(options.concurrency),
        OPENAI_BASE_URL: options.providerUrl,
        ...profileEnvironment(options.profileDir, `tutorial-${name}`),
      },
      readyWhen: new RegExp(`^${name}\\.ready$`),
    });
    stack.defer(async () => void (await child.stop()));
    return child;
  };
  const api = await start('api');
  const worker = await start('worker');
  const reader = new Redis(redis.url);
  stack.defer(() => reader.disconnect());
  const base = `bull:${BASELINE_QUEUE}`;

  const kept = stack.move();
  return {
    name: 'tutorial',
    origin: `http://127.0.0.1:${port}`,
    path: '/jobs',
    pids: {
      api: api.pid,
      worker: worker.pid,
      ...(redis.pid !== undefined && { redis: redis.pid }),
    },
    wrap: (chatRequest) => JSON.stringify(chatRequest),
    completed: async () => reader.zcard(`${base}:completed`),
    failed: async () => reader.zcard(`${base}:failed`),
    answerOf: async (accepted) => {
      const { id } = JSON.parse(accepted) as { id: string };
      const returned = await reader.hget(`${base}:${id}`, 'returnvalue');
      if (returned === null) throw new Error(`tutorial: job ${id} has no return value`);
      return textOf(JSON.parse(returned));
    },
    stop: async () => kept.disposeAsync(),
  };
}
