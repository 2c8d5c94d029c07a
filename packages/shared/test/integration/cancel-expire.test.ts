import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { eventually } from '@nightshift/local';
import { newJobId } from '../../src/job/index.ts';
import {
  accepted,
  countsOf,
  newTenant,
  openStores,
  outboxOf,
  outlive,
  recordOf,
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

const answer = {
  status: 'completed',
  response: { statusCode: 200, requestId: null, body: '{}' },
  error: null,
  usage: null,
  costUsd: null,
} as const;

describe('cancel', () => {
  test('a queued job: cancelled, and its delivery leaves the outbox', async () => {
    const tenant = newTenant();
    const control = await stores.listen(stores.keys.channels.control);
    const events = await stores.listen(stores.keys.channels.events);
    const id = await accepted(stores, tenant, { expiresAfterMs: 60_000 });
    expect(await stores.jobs.cancel(tenant, id)).toBe('cancelled');
    expect(await stores.jobs.get(tenant, id)).toMatchObject({
      status: 'cancelled',
      error: { code: 'job_cancelled' },
      response: null,
    });
    const of = stores.keys.tenant(tenant);
    expect(await outboxOf(stores, tenant)).toEqual({});
    expect(await stores.redis.zscore(of.expiring, id)).toBeNull();
    expect(await stores.redis.zrange(of.unsuccessful, '0', '-1')).toEqual([`cancelled ${id}`]);
    expect(await stores.redis.pttl(of.job(id))).toBeGreaterThan(0);
    expect(await countsOf(stores, tenant)).toEqual({ cancelled: 1 });
    await eventually(() => events.includes(`${tenant} ${id} cancelled 2`));
    expect(control).not.toContain(`abort ${id}`);
  });

  test('one in progress: cancelled, and whoever holds it is told to stop', async () => {
    const tenant = newTenant();
    const control = await stores.listen(stores.keys.channels.control);
    const { jobId } = await started(stores, tenant);
    expect(await stores.jobs.cancel(tenant, jobId)).toBe('cancelled');
    expect(await countsOf(stores, tenant)).toEqual({ cancelled: 1 });
    await eventually(() => control.includes(`abort ${jobId}`));
  });

  test('settled: returned as it is; missing: said so; of another tenant: missing', async () => {
    const tenant = newTenant();
    const claim = await started(stores, tenant);
    await stores.attempts.settle(claim, answer);
    const before = await recordOf(stores, tenant, claim.jobId);
    expect(await stores.jobs.cancel(tenant, claim.jobId)).toBe('settled');
    expect(await recordOf(stores, tenant, claim.jobId)).toEqual(before);
    expect(await stores.jobs.cancel(tenant, newJobId())).toBe('missing');
    const waiting = await accepted(stores, tenant);
    expect(await stores.jobs.cancel(newTenant(), waiting)).toBe('missing');
    expect(await countsOf(stores, tenant)).toEqual({ completed: 1, queued: 1 });
  });
});

describe('expire', () => {
  test('what is due, queued and in progress alike; the rest is kept', async () => {
    const tenant = newTenant();
    const control = await stores.listen(stores.keys.channels.control);
    const queued = await accepted(stores, tenant, { expiresAfterMs: 60_000 });
    const held = await started(stores, tenant, { expiresAfterMs: 60_000 });
    const kept = await accepted(stores, tenant, { expiresAfterMs: 60_000 });
    const without = await accepted(stores, tenant);
    for (const id of [queued, held.jobId]) await outlive(stores, tenant, id);
    expect(await stores.attempts.expireDue(tenant)).toBe(2);
    expect(await stores.attempts.expireDue(tenant)).toBe(0);
    for (const id of [queued, held.jobId]) {
      expect(await stores.jobs.get(tenant, id)).toMatchObject({
        status: 'expired',
        error: { code: 'job_expired' },
      });
    }
    expect(await stores.attempts.settle(held, answer)).toBe('lost');
    expect(Object.keys(await outboxOf(stores, tenant)).toSorted()).toEqual(
      [`${kept}.1`, `${without}.1`].toSorted(),
    );
    expect(await countsOf(stores, tenant)).toEqual({ expired: 2, queued: 2 });
    await eventually(() => control.includes(`abort ${held.jobId}`));
    expect(control).not.toContain(`abort ${queued}`);
    expect(await stores.redis.zrange(stores.keys.tenant(tenant).expiring, '0', '-1')).toEqual([
      kept,
    ]);
  });

  test('by itself, when its instant comes', async () => {
    const tenant = newTenant();
    const id = await accepted(stores, tenant, { expiresAfterMs: 1 });
    await eventually(async () => (await stores.attempts.expireDue(tenant)) === 1);
    expect(await stores.jobs.get(tenant, id)).toMatchObject({ status: 'expired' });
  });

  test('an index entry whose job is settled, gone or not due changes no job and does not stay', async () => {
    const tenant = newTenant();
    const { expiring } = stores.keys.tenant(tenant);
    const settled = await started(stores, tenant);
    await stores.attempts.settle(settled, answer);
    const notDue = await accepted(stores, tenant, { expiresAfterMs: 60_000 });
    const gone = newJobId();
    for (const id of [settled.jobId, notDue, gone]) await stores.redis.zadd(expiring, 1000, id);
    expect(await stores.attempts.expireDue(tenant)).toBe(0);
    expect(await stores.redis.zrange(expiring, '0', '-1')).toEqual([notDue]);
    expect(await countsOf(stores, tenant)).toEqual({ completed: 1, queued: 1 });
    expect(await stores.jobs.get(tenant, gone)).toBeNull();
  });

  test('many at once, in portions', async () => {
    const tenant = newTenant();
    const ids = await Promise.all(
      Array.from({ length: 250 }, async () => accepted(stores, tenant, { expiresAfterMs: 60_000 })),
    );
    await Promise.all(ids.map(async (id) => outlive(stores, tenant, id)));
    expect(await stores.attempts.expireDue(tenant)).toBe(200);
    expect(await stores.attempts.expireDue(tenant)).toBe(50);
    expect(await countsOf(stores, tenant)).toEqual({ expired: 250 });
  });
});
