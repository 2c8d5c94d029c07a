import fc from 'fast-check';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { createLaneQueues, createRedelivery } from '../../src/bullmq/index.ts';
import { deliveryId } from '../../src/job/index.ts';
import {
  accepted,
  begun,
  countsOf,
  newTenant,
  openStores,
  outboxOf,
  recordOf,
  type Stores,
} from '../support/stores.ts';

const LANE = 'lane_0123456789abcdef';
let stores: Stores;
let queues: ReturnType<typeof createLaneQueues>;
beforeAll(async () => {
  stores = await openStores(inject('redisUrl'));
  queues = createLaneQueues({ redis: stores.redis, keys: stores.keys });
});
afterAll(async () => {
  await queues.close();
  await stores.close();
});

const redelivery = (tenant: string) =>
  createRedelivery({
    ...stores,
    queues,
    jobs: { ...stores.jobs, tenants: async () => [tenant] },
  });
const nobodyIsDead = (): boolean => false;

/** Accepts jobs whose deliveries stand in the lane's queue, as one bundle or each by itself. */
async function queued(tenant: string, count: number, isBundle = false): Promise<string[]> {
  const ids: string[] = [];
  for (let n = 0; n < count; n += 1) ids.push(await accepted(stores, tenant, { priority: 'bulk' }));
  const deliveries = ids.map((id) => ({ deliveryId: deliveryId(id, 1), tokens: null, tenant }));
  const [first, ...others] = deliveries;
  if (first !== undefined) {
    await queues.add(LANE, 'bulk', isBundle ? [{ ...first, others }] : deliveries);
    await stores.jobs.confirmDeliveries(
      tenant,
      deliveries.map(({ deliveryId: id }) => id),
    );
  }
  return ids;
}

async function deleteQueues(): Promise<void> {
  const { queues: base } = stores.keys.lane(LANE);
  const own = await stores.redis.keys(`${base}:bulk:*`);
  if (own.length > 0) await stores.redis.del(...own);
}

test('deliveries in the outbox, in a queue or in a bundle are left alone', async () => {
  const tenant = newTenant();
  await accepted(stores, tenant);
  await accepted(stores, tenant, { runAtMs: 4e12 });
  await queued(tenant, 3);
  await queued(tenant, 4, true);
  const before = await outboxOf(stores, tenant);
  expect(await redelivery(tenant).redeliverLost(nobodyIsDead)).toEqual({ open: 9, redelivered: 0 });
  expect(await outboxOf(stores, tenant)).toEqual(before);
  await deleteQueues();
});

test('jobs whose queue was deleted are requeued once, even by concurrent runs', async () => {
  const tenant = newTenant();
  const ids = [...(await queued(tenant, 120)), ...(await queued(tenant, 5, true))];
  await deleteQueues();
  const results = await Promise.all(
    Array.from({ length: 4 }, async () => redelivery(tenant).redeliverLost(nobodyIsDead)),
  );
  expect(results.reduce((sum, { redelivered }) => sum + redelivered, 0)).toBe(125);
  expect(Object.keys(await outboxOf(stores, tenant)).toSorted()).toEqual(
    ids.map((id) => `${id}.2`).toSorted(),
  );
  expect(await redelivery(tenant).redeliverLost(nobodyIsDead)).toEqual({
    open: 125,
    redelivered: 0,
  });
  const due = await stores.attempts.takeDue(tenant, 500, 60_000);
  expect(due.map(({ deliveryId: id }) => id).toSorted()).toEqual(
    ids.map((id) => `${id}.2`).toSorted(),
  );
});

test('an entry without its data counts as lost', async () => {
  const tenant = newTenant();
  const [id = ''] = await queued(tenant, 1);
  await stores.redis.del(`${stores.keys.lane(LANE).queues}:bulk:${id}.1`);
  expect(await redelivery(tenant).redeliverLost(nobodyIsDead)).toEqual({ open: 1, redelivered: 1 });
  await deleteQueues();
});

test('only a dead worker loses its claim, which counts as a rescue', async () => {
  const tenant = newTenant();
  const id = await accepted(stores, tenant);
  const claim = await begun(stores, tenant, id, 1);
  await stores.jobs.confirmDeliveries(tenant, [`${id}.1`]);
  expect(await redelivery(tenant).redeliverLost((worker) => worker !== 'worker-1')).toEqual({
    open: 1,
    redelivered: 0,
  });
  expect(await redelivery(tenant).redeliverLost((worker) => worker === 'worker-1')).toEqual({
    open: 1,
    redelivered: 1,
  });
  expect(await recordOf(stores, tenant, id)).toMatchObject({
    ...{ status: 'queued', delivery: '2', rescues: '1', claim: '', worker: '' },
    events: expect.stringMatching(/\|job\.queued\|\d+\|1\|redelivered$/),
  });
  expect(await countsOf(stores, tenant)).toEqual({ queued: 1 });
  const settlement = { response: null, error: null, usage: null, costUsd: null };
  expect(await stores.attempts.settle(claim, { status: 'completed', ...settlement })).toBe('lost');
  expect(await begun(stores, tenant, id, 2)).toMatchObject({ attempt: 2, rescues: 1 });
});

test('a job is requeued only if its record has not changed since it was read', async () => {
  const tenant = newTenant();
  const of = stores.keys.tenant(tenant);
  const call = async (id: string, delivery: string, generation: string): Promise<string> => {
    const replies = (await stores.run(
      'redeliver-jobs',
      [of.counts, of.outbox, of.job(id)],
      [stores.keys.channels.events, tenant, id, delivery, generation],
    )) as [string][];
    return replies[0]?.[0] ?? '';
  };
  const status = fc.constantFrom('queued', 'in_progress', 'completed', 'cancelled');
  const number = fc.constantFrom('1', '2', '3');
  const seen = fc.record({ delivery: number, generation: fc.option(number, { nil: '' }) });
  const record = fc.record({
    status,
    delivery: number,
    generation: number,
    isWaiting: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(seen, record, async (saw, is) => {
      const id = await accepted(stores, tenant);
      await stores.jobs.confirmDeliveries(tenant, [`${id}.1`]);
      const { isWaiting, ...fields } = is;
      await stores.redis.hset(of.job(id), fields);
      if (isWaiting) await stores.redis.zadd(of.outbox, 5, `${id}.${is.delivery}`);
      const before = await recordOf(stores, tenant, id);
      const isSame =
        !isWaiting &&
        is.delivery === saw.delivery &&
        (saw.generation === ''
          ? is.status === 'queued'
          : is.status === 'in_progress' && is.generation === saw.generation);
      expect(await call(id, saw.delivery, saw.generation)).toBe(isSame ? 'redelivered' : 'moved');
      const outbox = await outboxOf(stores, tenant);
      if (isSame) {
        expect(outbox).toHaveProperty([`${id}.${Number(saw.delivery) + 1}`]);
      } else {
        expect(await recordOf(stores, tenant, id)).toEqual(before);
        expect(Object.keys(outbox).filter((entry) => entry.startsWith(id))).toHaveLength(
          isWaiting ? 1 : 0,
        );
      }
    }),
    { numRuns: 60 },
  );
  const id = await accepted(stores, tenant);
  expect(await call(id, 'one', '')).toBe('broken');
  expect(await call('job_gone', '1', '')).toBe('moved');
});
