import { Cluster, Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually, freePort } from '@nightshift/local';
import { createLaneQueues } from '../../src/bullmq/index.ts';
import { newJobId } from '../../src/job/index.ts';
import { laneOf, laneStanding } from '../../src/lane/index.ts';
import { checkDurability, createBatchStore, createWorkerStore } from '../../src/redis/index.ts';
import { redisServer, startOwnRedis, type OwnRedis } from '../support/own-redis.ts';
import {
  accepted,
  begun,
  newJob,
  newTenant,
  openStores,
  outlive,
  started,
  type Stores,
} from '../support/stores.ts';

/** One node with all slots: it refuses a script whose keys lie in different slots, as a large cluster does. */
describe.skipIf(redisServer === undefined)('on a cluster', () => {
  let server: OwnRedis;
  let stores: Stores;

  beforeAll(async () => {
    server = await startOwnRedis([
      ...['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1'],
      ...['--cluster-port', String(await freePort())],
    ]);
    const node = new Redis(server.port, '127.0.0.1');
    await node.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
    await eventually(async () => String(await node.call('CLUSTER', 'INFO')).includes('state:ok'));
    node.disconnect();
    stores = await openStores(`redis+cluster://127.0.0.1:${server.port}`);
  });
  afterAll(async () => {
    await stores.close();
    await server.stop();
  });

  test('the connection is one to a cluster, and it does refuse keys of different slots', async () => {
    expect(stores.redis).toBeInstanceOf(Cluster);
    const one = stores.keys.tenant(newTenant());
    const two = stores.keys.tenant(newTenant());
    await expect(
      stores.run('cancel-job', [one.job('a'), two.counts, one.jobs, one.outbox, one.jobs], []),
    ).rejects.toThrow(/same slot|CROSSSLOT/);
  });

  test("a job's whole life: every script finds its keys in one slot", async () => {
    const tenant = newTenant();
    const idempotency = { key: 'k', contentHash: 'a' };
    const id = newJobId();
    const job = newJob(tenant, { expiresAfterMs: 60_000 });
    expect((await stores.jobs.accept(id, job, idempotency)).kind).toBe('accepted');
    expect((await stores.jobs.accept(newJobId(), job, idempotency)).kind).toBe('replayed');
    await stores.redis.zadd(stores.keys.tenant(tenant).outbox, 1, `${id}.1`);
    expect(await stores.attempts.takeDue(tenant, 5, 1000)).toHaveLength(1);
    await stores.jobs.confirmDeliveries(tenant, [`${id}.1`]);
    const first = await begun(stores, tenant, id, 1);
    const release = { reason: 'backoff', message: '', charged: true, detail: 'backoff' } as const;
    expect(await stores.attempts.release(first, { ...release, delayMs: 0 })).toBe('released');
    const second = await begun(stores, tenant, id, 2);
    expect(
      await stores.attempts.settle(second, {
        status: 'failed',
        response: null,
        error: { code: 'provider_error', message: '' },
        usage: null,
        costUsd: null,
      }),
    ).toBe('settled');
    expect(await stores.jobs.cancel(tenant, await accepted(stores, tenant))).toBe('cancelled');
    const { jobId } = await started(stores, tenant, { expiresAfterMs: 60_000 });
    await outlive(stores, tenant, jobId);
    expect(await stores.attempts.expireDue(tenant)).toBe(1);
    for (const status of ['failed', 'cancelled', 'expired'] as const) {
      const page = await stores.jobs.list(tenant, { metadata: {}, status }, null, 5);
      expect(page.kind === 'page' && page.jobs.length).toBe(1);
    }
    expect(await stores.jobs.counts(tenant)).toMatchObject({ queued: 0, in_progress: 0 });
    expect(await stores.attempts.trimIndexes(tenant)).toBe(0);
    expect(await stores.jobs.tenants()).toContain(tenant);
  });

  test('a lane: known, cooled, paused, probed, opened', async () => {
    const lane = laneOf('provider', newTenant(), 'default');
    expect(await stores.lanes.register(lane)).toBe('known');
    expect(await stores.lanes.all()).toEqual([lane]);
    expect(laneStanding(await stores.lanes.cool(lane.id, 10_000, 0)).state).toBe('cooling');
    await stores.lanes.pauseForProvider(lane.id, 'forbidden', 'no', false);
    await stores.redis.hset(stores.keys.lane(lane.id).state, 'probe_at', '1000');
    expect(await stores.lanes.takeProbe(lane.id)).toBe(true);
    await stores.lanes.openAfterProbe(lane.id);
    expect(laneStanding(await stores.lanes.state(lane.id)).state).toBe('cooling');
    await stores.lanes.addCalls(lane.id, 0, { calls: 1, refused: 1 });
    await stores.lanes.note(lane.id, 0, { results: 1, lengths: new Map() });
    expect(await stores.lanes.swapLogged(lane.id, 'paused')).toBeNull();
    expect(await stores.lanes.swapLogged(lane.id, null)).toBe('paused');
    expect(await stores.lanes.callsLastMinute(lane.id, 0)).toEqual({ calls: 1, refused: 1 });
  });

  test('lists workers, and reads open lines whose record keys are not passed as KEYS', async () => {
    const workers = createWorkerStore(stores);
    const beat = {
      id: 'worker_1',
      host: 'h',
      pid: 1,
      version: '1',
      slots: 1,
      slotsUsed: 0,
      lanes: 0,
    };
    await workers.beat({ ...beat, state: 'alive' }, null);
    expect((await workers.all()).workers).toMatchObject([{ ...beat, state: 'alive' }]);
    await workers.forget('worker_1');
    expect((await workers.all()).workers).toEqual([]);
    const tenant = newTenant();
    const job = await accepted(stores, tenant);
    await stores.redis.sadd(stores.keys.tenant(tenant).batchWindow('batch_1'), job, 'gone');
    expect(await createBatchStore(stores).openLines(tenant, 'batch_1')).toMatchObject({
      isMoving: false,
      groups: [{ state: 'queued', count: 1 }],
    });
  });

  test("a lane's queues take many deliveries in one call, each lane's in its own slot", async () => {
    const queues = createLaneQueues(stores);
    const lanes = ['one', 'two'].map((model) => laneOf(newTenant(), model, 'default').id);
    const deliveries = Array.from({ length: 40 }, (_, at) => ({
      deliveryId: `job_${at}.1`,
      tenant: 't',
      tokens: null,
    }));
    await Promise.all(lanes.map(async (laneId) => queues.add(laneId, 'bulk', deliveries)));
    for (const laneId of lanes) expect((await queues.counts(laneId)).queued.bulk).toBe(40);
    await queues.close();
  });

  test('tenants and lanes spread over the slots, the keys of each stay together', async () => {
    const slotOf = async (key: string): Promise<unknown> =>
      (stores.redis as Cluster).call('CLUSTER', 'KEYSLOT', key);
    const slots = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const of = stores.keys.tenant(newTenant());
        const keys = [of.job('a'), of.counts, of.jobs, of.outbox, of.expiring, of.idempotency('b')];
        const own = new Set(await Promise.all(keys.map(slotOf)));
        expect(own.size).toBe(1);
        return [...own][0];
      }),
    );
    expect(new Set(slots).size).toBeGreaterThan(10);
  });

  test('a master that may lose what it acknowledged is found', async () => {
    await expect(checkDurability(stores.redis)).rejects.toThrow('appendonly is no');
  });
});
