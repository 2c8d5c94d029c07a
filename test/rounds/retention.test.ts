import { readdir } from 'node:fs/promises';
import { eventually } from '@nightshift/local';
import {
  connectRedis,
  createKeys,
  whenReady,
  type RedisConnection,
} from '@nightshift/shared/redis';
import { createLogger } from '@nightshift/shared/telemetry';
import { NotFoundError } from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  inputFile,
  names,
  setBatchStage,
  type Batch,
  type BatchStage,
} from '../support/batch-stage.ts';
import { strikeAt } from '../support/stepping.ts';

const BATCHES = 20;
/** Shorter than any run of this test; what is kept for longer says so. */
const retention = { batches_seconds: 1, batch_files_seconds: 1 };

let stage: BatchStage;
let redis: RedisConnection;
const keys = createKeys('nightshift');
beforeAll(async () => {
  stage = await setBatchStage({ workers: 0, config: { retention } });
  await stage.latency(1);
  redis = connectRedis(stage.redis.url, 'durable', createLogger('test', 'silent'));
  await whenReady(redis);
});
afterAll(async () => {
  redis?.disconnect();
  await stage?.stop();
});

const allKeys = async () =>
  (redis as { keys(pattern: string): Promise<string[]> }).keys('nightshift:*');
const allFiles = async (): Promise<string[]> =>
  (await readdir(stage.stack.dataDir, { recursive: true, withFileTypes: true })).map(
    ({ parentPath, name }) => `${parentPath}/${name}`,
  );
/** Keeps every worker from cleaning, or lets the next one that looks. */
const holdTurn = async () => redis.set(keys.turn('clean'), 'nobody', 'PX', 600_000);
const freeTurn = async () => redis.del(keys.turn('clean'));
const isGone = async (reading: PromiseLike<unknown>): Promise<boolean> =>
  Promise.resolve(reading).then(
    () => false,
    (error: unknown) => {
      if (error instanceof NotFoundError) return true;
      throw error;
    },
  );

async function create(name: string, more: object = {}): Promise<Batch> {
  const text = inputFile(names(name, 3)) + inputFile([`${name}-no`], 'sim-400');
  return stage.create({ input_file_id: await stage.upload(text), ...more });
}

describe('retention', () => {
  it('ends with nothing left, whatever dies while it is cleaned up, and touches nothing else', async () => {
    await holdTurn();
    // One whose conductor leaves half an append behind, among those that go.
    const torn = await create('torn');
    const dead = await strikeAt(stage, torn.id, {
      ...{ step: 'append-output', moment: 'midway', signal: 'SIGKILL' },
    });
    await dead.exited;
    const going = [torn];
    for (let n = 0; n < BATCHES; n += 1) going.push(await create(`go-${n}`));
    going.push(await stage.create({ input_file_id: await stage.upload('{}\n') }));
    const cancelled = await create('cancelled', { run_at: Math.ceil(Date.now() / 1000) + 3600 });
    await stage.client.batches.cancel(cancelled.id);
    going.push(cancelled);
    // Two that stay: an output that is kept for longer, and a batch that has not ended.
    const kept = await create('kept', {
      output_expires_after: { anchor: 'created_at', seconds: 3600 },
    });
    const open = await create('open', { run_at: Math.ceil(Date.now() / 1000) + 3600 });

    const conductor = await stage.stack.startWorker();
    for (const { id } of [...going, kept]) await stage.settled(id);
    await conductor.stop();
    const settledKept = await stage.client.batches.retrieve(kept.id);
    const keptLines = await stage.lines(settledKept.output_file_id);
    expect(keptLines).toHaveLength(3);
    expect((await allFiles()).some((name) => name.includes(`${torn.id}/output-1-`))).toBe(true);
    // Retention has ended for all the others, and nobody has cleaned: they can be read, to the last byte.
    const [, first] = await Promise.all(
      going.slice(0, 2).map(async ({ id }) => stage.client.batches.retrieve(id)),
    );
    expect(await stage.lines(first?.output_file_id)).toHaveLength(3);

    for (const [step, moment] of [
      ['expire-files', 'after'],
      ['retire-batches', 'after'],
      ['remove', 'before'],
      ['remove', 'after'],
      ['forget', 'before'],
      ['forget', 'after'],
    ] as const) {
      await freeTurn();
      const killed = await strikeAt(stage, 'none', { step, moment, signal: 'SIGKILL' });
      await killed.exited;
      // Whatever is listed can be read.
      for await (const file of stage.client.files.list()) {
        expect(Buffer.byteLength(await (await stage.client.files.content(file.id)).text())).toBe(
          file.bytes,
        );
      }
    }
    await freeTurn();
    const workers = await Promise.all([1, 2, 3].map(async () => stage.stack.startWorker()));
    for (const { id, input_file_id: input } of going) {
      await eventually(async () => isGone(stage.client.batches.retrieve(id)), {
        timeoutMs: 60_000,
        describe: `${id} to be gone`,
      });
      // Uploaded by a caller, so the caller's to delete.
      await stage.client.files.delete(input);
    }
    const mine = (name: string): boolean => going.some(({ id }) => name.includes(id));
    await eventually(async () => !(await allFiles()).some(mine), {
      timeoutMs: 60_000,
      describe: 'the disk to be clean',
    });

    expect(await stage.client.batches.retrieve(kept.id)).toEqual(settledKept);
    expect(await stage.lines(settledKept.output_file_id)).toEqual(keptLines);
    expect((await stage.client.batches.retrieve(open.id)).status).toBe('in_progress');
    await stage.client.batches.cancel(open.id);
    await Promise.all(workers.map(async (worker) => worker.stop()));

    const stays = new Set<string>(
      [settledKept.id, settledKept.output_file_id, settledKept.error_file_id]
        .concat(kept.input_file_id, open.id, open.input_file_id)
        .filter((id): id is string => id !== null),
    );
    const of = keys.tenant('default');
    const indexes = new Set([
      ...[keys.tenants, keys.lanes, keys.turn('clean'), keys.turn('remove-temporary')],
      ...[of.files, of.batches, of.expiringFiles, of.expiringBatches, of.openBatches],
      // Goes by itself, a minute after the last result.
      of.paces,
      // Of the workers that were killed; they go by themselves after ten minutes.
      ...[keys.workers.seen, keys.workers.records],
    ]);
    const left = (await allKeys()).filter(
      (key) =>
        !indexes.has(key) &&
        !key.startsWith('nightshift:{lane_') &&
        ![...stays].some((id) => key.includes(id)),
    );
    expect(left).toEqual([]);
    for (const index of [of.files, of.batches, of.expiringFiles, of.expiringBatches]) {
      const members = await redis.zrange(index, '0', '-1');
      expect(members.filter((id) => !stays.has(id))).toEqual([]);
    }
    const others = (await allFiles()).filter(
      (name) => /(batch_|file-)/.test(name) && ![...stays].some((id) => name.includes(id)),
    );
    expect(others).toEqual([]);
  });
});
