import { request } from 'undici';
import { startOwnNightshift } from '../sides/own-nightshift.ts';
import { profileEnvironment, textOf, type Side, type SideOptions } from './side.ts';

interface StoredJob {
  status: string;
  response: { status_code: number; body: unknown } | null;
}

/** `bin/nightshift api` and `bin/nightshift worker` with their default settings. */
export async function startNightshiftSide(options: SideOptions): Promise<Side> {
  await using stack = new AsyncDisposableStack();
  const own = await startOwnNightshift(
    options.providerUrl,
    profileEnvironment(options.profileDir, 'nightshift-api'),
  );
  stack.defer(async () => own.stop());
  const { redis, processes, reader } = own;
  const worker = await processes.startWorker({
    WORKER_CONCURRENCY: String(options.concurrency),
    ...profileEnvironment(options.profileDir, 'nightshift-worker'),
  });
  const { counts } = own.keys;

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
