import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { eventually } from '@nightshift/local';
import {
  accepted,
  newTenant,
  openStores,
  outboxOf,
  started,
  type Stores,
} from '../support/stores.ts';

let stores: Stores;
beforeAll(async () => {
  stores = await openStores(inject('redisUrl'));
});
afterAll(async () => {
  await stores.close();
});

const makeDue = async (tenant: string, entry: string, score = 1): Promise<void> => {
  await stores.redis.zadd(stores.keys.tenant(tenant).outbox, score, entry);
};

test('hands out what is due, once for as long as the hold lasts', async () => {
  const tenant = newTenant();
  const due = await accepted(stores, tenant, { priority: 'bulk', tokens: [12, null, 1] });
  const later = await accepted(stores, tenant);
  await makeDue(tenant, `${due}.1`);
  expect(await stores.attempts.takeDue(tenant, 10, 60_000)).toEqual([
    {
      entry: `${due}.1`,
      deliveryId: `${due}.1`,
      others: [],
      laneId: 'lane_0123456789abcdef',
      priority: 'bulk',
      tokens: [12, null, 1],
    },
  ]);
  expect(await stores.attempts.takeDue(tenant, 10, 60_000)).toEqual([]);
  const outbox = await outboxOf(stores, tenant);
  expect(Object.keys(outbox).toSorted()).toEqual([`${due}.1`, `${later}.1`].toSorted());
  expect(outbox[`${due}.1`]).toBeGreaterThan(outbox[`${later}.1`]! + 50_000);
});

test('comes back after the hold unless it was confirmed', async () => {
  const tenant = newTenant();
  const [one, two] = [await accepted(stores, tenant), await accepted(stores, tenant)];
  await makeDue(tenant, `${one}.1`);
  await makeDue(tenant, `${two}.1`);
  expect(await stores.attempts.takeDue(tenant, 10, 0)).toHaveLength(2);
  await stores.jobs.confirmDeliveries(tenant, [`${one}.1`]);
  const again = await stores.attempts.takeDue(tenant, 10, 0);
  expect(again.map(({ entry }) => entry)).toEqual([`${two}.1`]);
});

test('the earliest first, no more than asked for', async () => {
  const tenant = newTenant();
  const ids: string[] = [];
  for (let at = 0; at < 5; at += 1) {
    const id = await accepted(stores, tenant);
    ids.push(id);
    await makeDue(tenant, `${id}.1`, 100 - at);
  }
  const taken = await stores.attempts.takeDue(tenant, 2, 60_000);
  expect(taken.map(({ entry }) => entry)).toEqual([`${ids[4]}.1`, `${ids[3]}.1`]);
});

test('two sweepers at once never take the same', async () => {
  const tenant = newTenant();
  const ids = await Promise.all(Array.from({ length: 40 }, async () => accepted(stores, tenant)));
  await Promise.all(ids.map(async (id) => makeDue(tenant, `${id}.1`)));
  const rounds = await Promise.all(
    Array.from({ length: 8 }, async () => stores.attempts.takeDue(tenant, 10, 60_000)),
  );
  const taken = rounds.flat().map(({ entry }) => entry);
  expect(taken.toSorted()).toEqual(ids.map((id) => `${id}.1`).toSorted());
});

test('an entry whose job has moved on is removed on the way', async () => {
  const tenant = newTenant();
  const held = await started(stores, tenant);
  const settled = await accepted(stores, tenant);
  await stores.jobs.cancel(tenant, settled);
  const waiting = await accepted(stores, tenant);
  for (const entry of [`${held.jobId}.1`, `${settled}.1`, `${waiting}.7`, 'job_gone.1']) {
    await makeDue(tenant, entry);
  }
  expect(await stores.attempts.takeDue(tenant, 10, 60_000)).toEqual([]);
  expect(Object.keys(await outboxOf(stores, tenant))).toEqual([`${waiting}.1`]);
});

test('index entries go with the records that retention has ended, and no others', async () => {
  const brief = await openStores(inject('redisUrl'), { retentionMs: 1 });
  try {
    const tenant = newTenant();
    const of = brief.keys.tenant(tenant);
    const ended = await accepted(brief, tenant);
    const waiting = await accepted(brief, tenant);
    expect(await brief.jobs.cancel(tenant, ended)).toBe('cancelled');
    await eventually(async () => (await brief.jobs.get(tenant, ended)) === null);
    // The clock is read in whole seconds: an entry of this second is not old yet.
    await eventually(async () => {
      await brief.attempts.trimIndexes(tenant);
      return (await brief.redis.zcard(of.jobs)) === 1;
    });
    expect(await brief.redis.zrange(of.jobs, '0', '-1')).toEqual([waiting]);
    await eventually(async () => {
      await brief.attempts.trimIndexes(tenant);
      return (await brief.redis.zcard(of.unsuccessful)) === 0;
    });
    expect(await brief.attempts.trimIndexes(tenant)).toBe(0);
    expect(await brief.jobs.get(tenant, waiting)).toMatchObject({ status: 'queued' });
  } finally {
    await brief.close();
  }
});

test('old jobs that still wait do not hide ended ones behind them from the trim', async () => {
  const brief = await openStores(inject('redisUrl'), { retentionMs: 1 });
  try {
    const tenant = newTenant();
    const { jobs: index } = brief.keys.tenant(tenant);
    await Promise.all(Array.from({ length: 501 }, async () => accepted(brief, tenant)));
    await brief.redis.zadd(index, 2, 'job_long_gone');
    for (const id of await brief.redis.zrange(index, '0', '-1')) {
      if (id !== 'job_long_gone') await brief.redis.zadd(index, 1, id);
    }
    expect(await brief.attempts.trimIndexes(tenant)).toBe(1);
    expect(await brief.redis.zcard(index)).toBe(501);
  } finally {
    await brief.close();
  }
});

test('a bundle comes back whole while one of its jobs waits, and is removed when none does', async () => {
  const tenant = newTenant();
  const settled = await accepted(stores, tenant);
  await stores.jobs.cancel(tenant, settled);
  const waiting = await accepted(stores, tenant, { priority: 'bulk', tokens: [7, 3, 1] });
  const held = await started(stores, tenant);
  await stores.jobs.confirmDeliveries(tenant, [`${waiting}.1`, `${held.jobId}.1`]);
  const entry = [`${settled}.1`, `${waiting}.1`, `${held.jobId}.1`].join(' ');
  await makeDue(tenant, entry);
  expect(await stores.attempts.takeDue(tenant, 10, 0)).toEqual([
    {
      entry,
      deliveryId: `${settled}.1`,
      tokens: null,
      others: [
        { deliveryId: `${waiting}.1`, tokens: [7, 3, 1] },
        { deliveryId: `${held.jobId}.1`, tokens: null },
      ],
      laneId: 'lane_0123456789abcdef',
      priority: 'bulk',
    },
  ]);
  await stores.jobs.cancel(tenant, waiting);
  expect(await stores.attempts.takeDue(tenant, 10, 0)).toEqual([]);
  expect(await outboxOf(stores, tenant)).toEqual({});
});
