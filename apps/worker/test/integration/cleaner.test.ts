import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openBlobStore, type BlobStore } from '@nightshift/blobs';
import { newFileId, type NewBatch } from '@nightshift/shared/batch';
import { systemClock } from '@nightshift/shared/clock';
import {
  connectRedis,
  createBatchStore,
  createConductorStore,
  createFileStore,
  createKeys,
  createRetentionStore,
  loadScripts,
  whenReady,
  type BatchStore,
  type RedisConnection,
} from '@nightshift/shared/redis';
import { createLogger } from '@nightshift/shared/telemetry';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { createCleaner } from '../../src/services/cleaner.ts';

const logger = createLogger('test', 'silent');
const prefix = `test-${randomUUID().slice(0, 8)}`;
const keys = createKeys(prefix);
const tenant = 'red';
const of = keys.tenant(tenant);

let redis: RedisConnection;
let root: string;
let blobs: BlobStore;
let files: ReturnType<typeof createFileStore>;
let batches: BatchStore;
let stores: Parameters<typeof createBatchStore>[0];
beforeAll(async () => {
  redis = connectRedis(inject('redisUrl'), 'durable', logger);
  await whenReady(redis);
  root = await mkdtemp(join(tmpdir(), 'nightshift-cleaner-'));
  blobs = await openBlobStore(`file:${root}`, {});
  stores = { redis, run: loadScripts(redis), keys };
  files = createFileStore(stores);
  batches = createBatchStore(stores);
  await redis.sadd(keys.tenants, tenant);
});
afterAll(async () => {
  for (const key of await allKeys()) await redis.unlink(key);
  redis.disconnect();
  await rm(root, { recursive: true });
});

const cleaner = (over: Partial<BlobStore> = {}) =>
  createCleaner({
    jobs: { tenants: async () => [tenant] },
    retention: createRetentionStore(stores),
    blobs: { ...blobs, ...over },
    clock: systemClock,
    logger,
    workerId: 'worker_1',
  });
const allKeys = async () =>
  (redis as { keys(pattern: string): Promise<string[]> }).keys(`${prefix}:*`);
const allFiles = async () =>
  (await readdir(root, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map(({ name }) => name);
const state = async () => ({ keys: (await allKeys()).toSorted(), files: await allFiles() });
const chunk = async function* (text: string) {
  yield Buffer.from(text);
};

async function upload(text: string): Promise<string> {
  const id = newFileId();
  const content = { kind: 'blob', name: `files/${id}` } as const;
  await files.hold(tenant, content.name);
  const { bytes } = await blobs.put(content.name, chunk(text));
  const file = { id, tenant, filename: 'a', purpose: 'batch', bytes, content };
  await files.create({ ...file, expiresAfterMs: null });
  return id;
}

const newBatch = (inputFileId: string): NewBatch => ({
  tenant,
  endpoint: '/v1/embeddings',
  inputFileId,
  completionWindow: '24h',
  windowMs: 1000,
  metadata: null,
  outputExpiresAfterMs: null,
  runAtMs: null,
  quietHours: null,
  retryOf: null,
});

/** A batch of one request that has ended just now; a segment of a conductor that lost it lies beside its own. */
async function settledBatch(
  id: string,
  { retentionMs, fileMs }: { retentionMs: number; fileMs: number | null },
): Promise<string> {
  const inputFileId = await upload('x');
  await batches.create(id, newBatch(inputFileId), null);
  const store = createConductorStore({ ...stores, retentionMs });
  const conducting = await store.take(tenant, id, 'worker_1');
  if (conducting === null) throw new Error('not taken');
  await store.begin(conducting, inputFileId, { total: 1, model: 'm', errors: [], errorCount: 0 });
  const place = (fed: number) => ({ fed, line: fed, bytes: fed });
  await store.skip(conducting, place(0), place(1), 'expired', [{ line: 1, customId: 'a' }]);
  const [result] = await store.results(conducting, 1);
  const lost = await blobs.openSegment(`${id}/errors-0-1`);
  await lost.append(Buffer.from('lost'));
  await lost.close();
  const segment = await blobs.openSegment(`${id}/errors-1-1`);
  const name = `${id}/errors-1-1`;
  const failures = [{ name, bytes: await segment.append(Buffer.from('{}\n')), lines: 1 }];
  await segment.close();
  await store.commit(conducting, result?.streamId ?? '', [], failures, {});
  const error = { id: newFileId(), filename: 'e', segments: failures };
  await store.finish(conducting, inputFileId, 'expired', {
    output: null,
    error,
    expireAfterMs: fileMs,
  });
  await files.remove(tenant, inputFileId);
  return error.id;
}

const drained = async (one = cleaner()): Promise<void> => {
  while (await one.sweep());
};

describe('files', () => {
  it('go when their time is up, unless a batch reads them', async () => {
    const before = await state();
    const [gone, held] = [await upload('gone'), await upload('held')];
    for (const id of [gone, held]) await redis.zadd(of.expiringFiles, 1, id);
    await redis.hset(of.file(held), 'uses', '1');
    await Promise.all([drained(), drained()]);
    expect(await files.get(tenant, gone)).toBeNull();
    expect(await files.get(tenant, held)).not.toBeNull();
    expect(await blobs.size(`files/${held}`)).toBe(4);
    await redis.hset(of.file(held), 'uses', '0');
    await redis.zadd(of.expiringFiles, 1, held);
    await drained();
    expect(await state()).toEqual(before);
  });

  it('leave nothing of an upload whose process died, and are never made of what is due', async () => {
    const before = await state();
    const name = 'files/lost';
    await files.hold(tenant, name);
    await blobs.put(name, chunk('x'));
    await drained();
    expect(await blobs.size(name)).toBe(1);
    await redis.zadd(of.looseBlobs, 1, `blob ${name}`);
    const late = await files.create({
      ...{ id: 'file-late', tenant, filename: 'a', purpose: 'batch', bytes: 1 },
      ...{ expiresAfterMs: null, content: { kind: 'blob', name } },
    });
    expect(late).toEqual({ kind: 'swept' });
    await drained();
    expect(await state()).toEqual(before);
  });
});

describe('batches', () => {
  it('go with all that conductors left, the losing ones too', async () => {
    const before = await state();
    await settledBatch('batch_1', { retentionMs: 1, fileMs: 1 });
    await drained();
    await drained();
    expect(await batches.get(tenant, 'batch_1')).toBeNull();
    expect(await state()).toEqual(before);
  });

  it('stay for as long as one of their files', async () => {
    const before = await state();
    const file = await settledBatch('batch_2', { retentionMs: 1, fileMs: 3_600_000 });
    await drained();
    expect(await batches.get(tenant, 'batch_2')).toMatchObject({ errorFileId: file });
    expect(await allFiles()).toContain('errors-1-1');
    // It is looked at again when the file may be gone.
    const again = Number(await redis.zscore(of.expiringBatches, 'batch_2'));
    expect(again).toBeGreaterThan(Date.now() + 3_000_000);
    await files.remove(tenant, file);
    await redis.zadd(of.expiringBatches, 1, 'batch_2');
    await drained();
    expect(await state()).toEqual(before);
  });

  it('stay until their retention ends, also when their files were deleted', async () => {
    const file = await settledBatch('batch_3', { retentionMs: 3_600_000, fileMs: 1 });
    await drained();
    expect(await files.get(tenant, file)).toBeNull();
    expect(await batches.get(tenant, 'batch_3')).not.toBeNull();
    await redis.zadd(of.expiringBatches, 1, 'batch_3');
    await drained();
    expect(await batches.get(tenant, 'batch_3')).toBeNull();
  });

  it('free their idempotency keys', async () => {
    const inputFileId = await upload('x');
    const key = { key: 'k', contentHash: 'h' };
    const create = async (id: string) => batches.create(id, newBatch(inputFileId), key);
    expect(await create('batch_4')).toMatchObject({ kind: 'created' });
    expect(await create('batch_5')).toMatchObject({ kind: 'replayed', batch: { id: 'batch_4' } });
    await redis.del(of.batch('batch_4'));
    expect(await batches.recall(tenant, key)).toBeNull();
    expect(await create('batch_5')).toMatchObject({ kind: 'created', batch: { id: 'batch_5' } });
    // A key that stands for something else is no batch that is gone.
    const used = (await allKeys()).find((name) => name.includes(':idempotency:')) ?? '';
    await redis.hset(used, 'id', 'job_1', 'hash', 'other');
    expect(await batches.recall(tenant, key)).toEqual({ kind: 'conflict', id: 'job_1' });
    expect(await create('batch_6')).toEqual({ kind: 'conflict', id: 'job_1' });
  });
});

describe('the cleaner', () => {
  it('keeps on the list what cannot be removed now, and removes the rest', async () => {
    for (const name of ['files/one', 'files/two']) {
      await blobs.put(name, chunk('x'));
      await redis.zadd(of.looseBlobs, 1, `blob ${name}`);
    }
    const broken = cleaner({
      remove: async (name) => {
        if (name === 'files/one') throw new Error('the disk is away');
        await blobs.remove(name);
      },
    });
    await drained(broken);
    expect(await redis.zrange(of.looseBlobs, '0', '0')).toEqual(['blob files/one']);
    expect(await blobs.size('files/two')).toBeNull();
    await drained();
    expect(await blobs.size('files/one')).toBeNull();
  });

  it('gives the turn to one worker at a time', async () => {
    const retention = createRetentionStore(stores);
    const turns = await Promise.all(
      Array.from({ length: 5 }, async (_, n) => retention.takeTurn('test', `worker_${n}`, 60_000)),
    );
    expect(turns.filter(Boolean)).toHaveLength(1);
  });

  it('can be stopped twice, also before it began', async () => {
    const one = cleaner();
    await one.stop();
    one.start();
    await Promise.all([one.stop(), one.stop()]);
  });
});
