import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { eventually } from '@nightshift/local';
import { Queue } from 'bullmq';
import { addAll } from '../baseline/add-all.ts';
import { BASELINE_QUEUE } from '../baseline/settings.ts';
import { profileEnvironment, textOf } from '../overhead/side.ts';
import { startOwnBaseline } from '../sides/own-baseline.ts';
import {
  LOOK_EVERY_MS,
  PATIENCE_MS,
  type BulkSide,
  type BulkSideOptions,
  type InputFields,
} from './side.ts';

/** A script, here this process, that reads the file and adds it with `addBulk`; `src/baseline/worker.ts`; return values. */
export async function startTutorialSide(options: BulkSideOptions): Promise<BulkSide> {
  await using stack = new AsyncDisposableStack();
  const own = await startOwnBaseline();
  stack.defer(async () => own.stop());
  const { redis, reader } = own;
  const worker = await own.start('worker', {
    CONCURRENCY: String(options.concurrency),
    OPENAI_BASE_URL: options.providerUrl,
    ...profileEnvironment(options.profileDir, 'tutorial-worker'),
  });
  const { hostname, port } = new URL(redis.url);
  const queue = new Queue(BASELINE_QUEUE, { connection: { host: hostname, port: Number(port) } });
  stack.defer(async () => queue.close());
  const base = `bull:${BASELINE_QUEUE}`;
  let requests: InputFields[] = [];
  let ids: string[] = [];
  let before = 0;

  const kept = stack.move();
  return {
    name: 'tutorial',
    pids: { worker: worker.pid, ...(redis.pid !== undefined && { redis: redis.pid }) },
    run: async (path, lines) => {
      requests = [];
      for await (const line of createInterface({ input: createReadStream(path) })) {
        requests.push(JSON.parse(line) as InputFields);
      }
      ids = await addAll(
        queue,
        requests.map(({ body }) => body),
      );
      await eventually(async () => (await reader.zcard(`${base}:completed`)) >= before + lines, {
        timeoutMs: PATIENCE_MS,
        intervalMs: LOOK_EVERY_MS,
        describe: 'the end of the jobs',
      });
      before += lines;
    },
    answers: async () => {
      const failed = await reader.zcard(`${base}:failed`);
      if (failed > 0) throw new Error(`tutorial: ${failed} jobs failed`);
      const answers = new Map<string, string>();
      const returned = reader.pipeline();
      for (const id of ids) returned.hget(`${base}:${id}`, 'returnvalue');
      for (const [at, [, value]] of ((await returned.exec()) ?? []).entries()) {
        answers.set(requests[at]?.custom_id ?? '', textOf(JSON.parse(value as string)));
      }
      return answers;
    },
    stop: async () => kept.disposeAsync(),
  };
}
