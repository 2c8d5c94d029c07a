import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { eventually } from '@nightshift/local';
import { profileEnvironment, textOf } from '../overhead/side.ts';
import { createBatchClient } from '../sides/batch-client.ts';
import { startOwnNightshift } from '../sides/own-nightshift.ts';
import { LOOK_EVERY_MS, PATIENCE_MS, type BulkSide, type BulkSideOptions } from './side.ts';

interface OutputLine {
  custom_id: string;
  response: { body: object };
}

/** `bin/nightshift api` and `bin/nightshift worker` with their default settings: upload, batch, output file. */
export async function startNightshiftSide(options: BulkSideOptions): Promise<BulkSide> {
  await using stack = new AsyncDisposableStack();
  const { providerUrl, profileDir, concurrency } = options;
  const own = await startOwnNightshift(
    providerUrl,
    profileEnvironment(profileDir, 'nightshift-api'),
  );
  stack.defer(async () => own.stop());
  const { redis, processes, reader, keys } = own;
  const worker = await processes.startWorker({
    WORKER_CONCURRENCY: String(concurrency),
    ...profileEnvironment(profileDir, 'nightshift-worker'),
  });
  const client = createBatchClient(processes.apiUrl);
  let batchId = '';

  const kept = stack.move();
  return {
    name: 'nightshift',
    pids: {
      api: processes.api.pid,
      worker: worker.pid,
      ...(redis.pid !== undefined && { redis: redis.pid }),
    },
    run: async (path) => {
      const { fileId } = await client.upload(path);
      batchId = await client.create(fileId);
      const isOver = async (): Promise<boolean> =>
        ['completed', 'failed', 'expired'].includes(
          (await reader.hget(keys.batch(batchId), 'status')) ?? '',
        );
      await eventually(isOver, {
        timeoutMs: PATIENCE_MS,
        intervalMs: LOOK_EVERY_MS,
        describe: 'the end of the batch',
      });
    },
    answers: async () => {
      const { status, output_file_id: output, errors } = await client.read(batchId);
      if (status !== 'completed' || output === null) {
        throw new Error(`nightshift: the batch is ${status}: ${JSON.stringify(errors)}`);
      }
      const answers = new Map<string, string>();
      const input = Readable.from(await client.content(output));
      for await (const text of createInterface({ input, crlfDelay: Infinity })) {
        const line = JSON.parse(text) as OutputLine;
        answers.set(line.custom_id, textOf(line.response.body));
      }
      return answers;
    },
    stop: async () => kept.disposeAsync(),
  };
}
