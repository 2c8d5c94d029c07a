import { Worker } from 'bullmq';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '@nightshift/local';
import { createLaneQueues, laneQueueOptions } from '../../src/bullmq/index.ts';
import { newJobId } from '../../src/job/index.ts';
import { laneOf } from '../../src/lane/index.ts';
import {
  createConductorStore,
  createFileStore,
  createRetentionStore,
  isRedisFull,
  watchMemory,
} from '../../src/redis/index.ts';
import { createLogger } from '../../src/telemetry/index.ts';
import { redisServer, startOwnRedis, type OwnRedis } from '../support/own-redis.ts';
import {
  accepted,
  begun,
  newJob,
  newTenant,
  openStores,
  recordOf,
  started,
  type Stores,
} from '../support/stores.ts';

const MB = 1_000_000;

// With REDIS_URL or Docker alone there is no server whose limit may be changed.
describe.skipIf(redisServer === undefined)('a Redis that is full', () => {
  let server: OwnRedis;
  let stores: Stores;
  beforeAll(async () => {
    server = await startOwnRedis(['--maxmemory-policy', 'noeviction']);
    stores = await openStores(`redis://127.0.0.1:${server.port}`);
  });
  afterEach(async () => {
    await stores.redis.config('SET', 'maxmemory', '0');
    await stores.redis.del('ballast');
  });
  afterAll(async () => {
    await stores.close();
    await server.stop();
  });

  const used = async (): Promise<number> =>
    Number(/used_memory:(\d+)/.exec(await stores.redis.info('memory'))?.[1]);
  const limit = async (bytes: number): Promise<void> => {
    await stores.redis.config('SET', 'maxmemory', String(bytes));
  };
  /** Above the admission limit, and below maxmemory. */
  const touchReserve = async (): Promise<void> => {
    await limit(0);
    await stores.redis.setrange('ballast', 20 * MB, 'x');
    await limit((await used()) + 5 * MB);
  };
  /** Above maxmemory. */
  const overfill = async (): Promise<void> => {
    await limit(0);
    await stores.redis.setrange('ballast', 20 * MB, 'x');
    await limit((await used()) - 10 * MB);
  };

  test('accepts below the admission limit and refuses above it, in the script', async () => {
    const tenant = newTenant();
    await limit((await used()) + 50 * MB);
    await accepted(stores, tenant);
    await touchReserve();
    const before = await stores.allKeys();
    await expect(accepted(stores, tenant)).rejects.toSatisfy(isRedisFull);
    expect((await stores.allKeys()).toSorted()).toEqual(before.toSorted());
    // Redis itself would have accepted it.
    await stores.redis.set('other', 'x');
  });

  test('returns an already accepted job even above the admission limit', async () => {
    const tenant = newTenant();
    const key = { key: 'k', contentHash: 'h' };
    const id = newJobId();
    await stores.jobs.accept(id, newJob(tenant), key);
    await touchReserve();
    expect(await stores.jobs.accept(newJobId(), newJob(tenant), key)).toEqual({
      kind: 'replayed',
      id,
    });
  });

  test('reports the admission limit to the memory watch', async () => {
    const logger = createLogger('test', 'silent');
    const watch = watchMemory({ redis: stores.redis, logger, intervalMs: 10 });
    try {
      for (const [bytes, reserve] of [
        [20 * MB, 8 * MB],
        [10 * MB, 5 * MB],
        [800 * MB, 80 * MB],
      ] as const) {
        await limit(bytes);
        await eventually(() => watch.memory.limitBytes === bytes);
        expect(watch.memory.admissionBytes).toBe(bytes - reserve);
      }
      expect([watch.isTight(), watch.isFull()]).toEqual([false, false]);
      await touchReserve();
      await eventually(() => watch.isTight());
      expect(watch.isFull()).toBe(false);
      await overfill();
      await eventually(() => watch.isFull());
      await limit(0);
      await eventually(() => !watch.isTight() && !watch.isFull());
    } finally {
      watch.stop();
    }
  });

  test('allows every transition of an accepted job above maxmemory', async () => {
    const tenant = newTenant();
    const { jobs, attempts, lanes, keys, run, redis } = stores;
    const [one, two, three] = [
      await started(stores, tenant),
      await started(stores, tenant, { expiresAfterMs: 3_600_000 }),
      await accepted(stores, tenant),
    ];
    const lane = laneOf('default', tenant, 'default');
    await lanes.register(lane);
    await overfill();
    await expect(redis.set('another', 'x')).rejects.toSatisfy(isRedisFull);

    await attempts.holdAnswer(tenant, 'answers-00/a');
    const release = {
      reason: 'backoff',
      message: 'm',
      delayMs: 0,
      charged: true,
      detail: '',
    } as const;
    expect(await attempts.release(one, release)).toBe('released');
    const [due] = await attempts.takeDue(tenant, 10, 0);
    expect(due?.deliveryId).toBe(`${one.jobId}.2`);
    const again = await begun(stores, tenant, one.jobId, 2);
    const response = { statusCode: 200, requestId: null, body: 'x'.repeat(100_000) };
    const settlement = {
      status: 'completed',
      response,
      error: null,
      usage: null,
      costUsd: null,
    } as const;
    expect(await attempts.settle(again, settlement)).toBe('settled');
    expect(await jobs.cancel(tenant, two.jobId)).toBe('cancelled');
    expect(await jobs.cancel(tenant, three)).toBe('cancelled');
    await lanes.addCalls(lane.id, 0, { calls: 2, refused: 1 });
    expect(await lanes.register(lane, true)).toBe('known');
    const retention = createRetentionStore({ redis, run, keys });
    expect(await retention.takeTurn('clean', 'w', 1000)).toBe(true);
    expect(await retention.takeTurn('clean', 'v', 1000)).toBe(false);

    const before = await used();
    for (const id of [one.jobId, two.jobId, three]) {
      expect((await jobs.remove(tenant, id)).kind).toBe('deleted');
    }
    expect(await used()).toBeLessThan(before - 100_000);
  });

  test("lets BullMQ's queues deliver, renew locks and return jobs above maxmemory", async () => {
    const { keys, redis } = stores;
    const lane = laneOf('default', newTenant(), 'default');
    const queues = createLaneQueues({ redis, keys });
    const deliveries = ['job_1.1', 'job_2.1'].map((deliveryId) => ({
      deliveryId,
      tenant: 't',
      tokens: null,
    }));
    await overfill();
    await queues.add(lane.id, 'bulk', deliveries);
    const taken: string[] = [];
    const finish = Promise.withResolvers<void>();
    const worker = new Worker(
      'bulk',
      async (job) => {
        taken.push(job.id ?? '');
        await finish.promise;
        return null;
      },
      {
        ...laneQueueOptions(keys, lane.id, redis),
        concurrency: 2,
        lockDuration: 2000,
        lockRenewTime: 100,
        removeOnComplete: { count: 0 },
      },
    );
    const errors: string[] = [];
    worker.on('error', (error) => errors.push(error.message));
    await eventually(() => taken.length === 2);
    const lock = `${keys.lane(lane.id).queues}:bulk:job_1.1:lock`;
    // A lock that was renewed has more time left than one that was not.
    const first = await redis.pttl(lock);
    await eventually(async () => (await redis.pttl(lock)) > first);
    finish.resolve();
    await eventually(async () => (await queues.counts(lane.id)).inFlight === 0);
    expect(errors).toEqual([]);
    await worker.close();
    await queues.close();
  });

  test('feeds a batch a few lines at a time, and refuses new work', async () => {
    const tenant = newTenant();
    const { keys, run, redis } = stores;
    const of = keys.tenant(tenant);
    const store = createConductorStore({ redis, run, keys, retentionMs: 1000 });
    await redis.hset(of.batch('batch_1'), {
      epoch: '1',
      status: 'in_progress',
      fed: '0',
      expires_at: '1',
    });
    const feed = async (from: number, count: number) => {
      const lines = Array.from({ length: count }, (_, at) => ({
        ...{ line: from + at + 1, customId: `c${at}`, endpoint: '/v1/chat/completions' as const },
        ...{ model: 'm', laneId: 'l', body: '{}', tokens: null },
      }));
      const [before, after] = [from, from + count].map((fed) => ({ fed, line: fed, bytes: 0 }));
      const conducting = { tenant, id: 'batch_1', epoch: '1' };
      return store.feed(
        conducting,
        before!,
        after!,
        lines.map((line) => [line]),
        8,
      );
    };
    await overfill();
    expect(await feed(0, 10)).toBe(true);
    expect(await feed(10, 100)).toBe(true);
    await expect(feed(110, 1)).rejects.toSatisfy(isRedisFull);
    expect(await redis.hget(of.batch('batch_1'), 'fed')).toBe('110');
    const files = createFileStore({ redis, run, keys });
    await expect(files.hold(tenant, 'files/1')).rejects.toSatisfy(isRedisFull);
  });

  test('keeps the blob of an answer for as long as the record, and removes it with the job', async () => {
    const tenant = newTenant();
    const { jobs, attempts, redis, keys } = stores;
    const claim = await started(stores, tenant);
    const name = `answers-00/${claim.jobId}-1`;
    await attempts.holdAnswer(tenant, name);
    const loose = async () =>
      Number(await redis.zscore(keys.tenant(tenant).looseBlobs, `blob ${name}`));
    const heldUntil = await loose();
    const response = { statusCode: 200, requestId: null, body: 'x', blob: { name, bytes: 1 } };
    await attempts.settle(claim, {
      status: 'completed',
      response,
      error: null,
      usage: null,
      costUsd: null,
    });
    expect(await recordOf(stores, tenant, claim.jobId)).toMatchObject({
      response_blob: name,
      response_bytes: '1',
    });
    expect(await loose()).toBeGreaterThan(heldUntil);
    const endsAt = Date.now() + (await redis.pttl(keys.tenant(tenant).job(claim.jobId)));
    expect(await loose()).toBeGreaterThan(endsAt);
    expect(await jobs.remove(tenant, claim.jobId)).toEqual({ kind: 'deleted', blob: name });
    expect(await loose()).toBeLessThanOrEqual(Date.now() + 1000);
  });
});
