import { freePort } from '@nightshift/local';
import { BASELINE_QUEUE } from '../baseline/settings.ts';
import { startOwnBaseline } from '../sides/own-baseline.ts';
import { profileEnvironment, textOf, type Side, type SideOptions } from './side.ts';

/** The two processes of `bench/src/baseline`. */
export async function startTutorialSide(options: SideOptions): Promise<Side> {
  await using stack = new AsyncDisposableStack();
  const own = await startOwnBaseline();
  stack.defer(async () => own.stop());
  const port = await freePort();
  const start = async (name: 'api' | 'worker') =>
    own.start(name, {
      PORT: String(port),
      CONCURRENCY: String(options.concurrency),
      OPENAI_BASE_URL: options.providerUrl,
      ...profileEnvironment(options.profileDir, `tutorial-${name}`),
    });
  const api = await start('api');
  const worker = await start('worker');
  const { redis, reader } = own;
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
