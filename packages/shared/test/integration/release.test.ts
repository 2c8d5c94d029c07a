import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { Release } from '../../src/redis/index.ts';
import {
  begun,
  countsOf,
  newTenant,
  openStores,
  outboxOf,
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

const atOnce: Release = {
  reason: 'rate_limit',
  message: 'lane is cooling',
  delayMs: null,
  charged: false,
  detail: 'rate_limited',
};
const later: Release = {
  reason: 'backoff',
  message: 'the provider answered 500',
  delayMs: 30_000.2,
  charged: true,
  detail: 'backoff',
};

test('to the head of the queue: same delivery, no outbox entry of its own', async () => {
  const tenant = newTenant();
  const claim = await started(stores, tenant);
  await stores.jobs.confirmDeliveries(tenant, [`${claim.jobId}.1`]);
  expect(await stores.attempts.release(claim, atOnce)).toBe('released');
  expect(await stores.jobs.get(tenant, claim.jobId)).toMatchObject({
    status: 'queued',
    delivery: 1,
    attempts: 0,
    retryAtMs: null,
    waitReason: 'rate_limit',
    waitMessage: 'lane is cooling',
  });
  expect(await outboxOf(stores, tenant)).toEqual({});
  expect(await countsOf(stores, tenant)).toEqual({ queued: 1 });
  expect(await stores.jobs.getWithEvents(tenant, claim.jobId, 2)).toMatchObject({
    events: [{ seq: 3, type: 'job.queued', detail: 'rate_limited' }],
  });
});

test('after a delay: the next delivery, in the outbox for its instant', async () => {
  const tenant = newTenant();
  const claim = await started(stores, tenant);
  await stores.jobs.confirmDeliveries(tenant, [`${claim.jobId}.1`]);
  expect(await stores.attempts.release(claim, later)).toBe('released');
  const job = await stores.jobs.get(tenant, claim.jobId);
  expect(job).toMatchObject({ status: 'queued', delivery: 2, attempts: 1, waitReason: 'backoff' });
  expect(job?.retryAtMs).toBeGreaterThanOrEqual(claim.nowMs + 30_001);
  expect(await outboxOf(stores, tenant)).toEqual({ [`${claim.jobId}.2`]: job?.retryAtMs });
});

describe('an attempt is charged or not', () => {
  test.each([true, false])('charged: %s', async (charged) => {
    const tenant = newTenant();
    const first = await started(stores, tenant);
    await stores.attempts.release(first, { ...atOnce, charged });
    const second = await begun(stores, tenant, first.jobId, 1);
    expect(second).toMatchObject({ generation: 2, attempt: charged ? 2 : 1, rescues: 0 });
    expect(await recordOf(stores, tenant, first.jobId)).toMatchObject({ calls: '2' });
  });
});

test('no reason: the job waits for nothing that a caller would be told', async () => {
  const tenant = newTenant();
  const claim = await started(stores, tenant);
  await stores.attempts.release(claim, { ...atOnce, reason: null, message: '' });
  expect(await stores.jobs.get(tenant, claim.jobId)).toMatchObject({
    waitReason: null,
    waitMessage: null,
  });
});

test.each([atOnce, later])('sent again: released once ($detail)', async (release) => {
  const tenant = newTenant();
  const claim = await started(stores, tenant);
  await stores.attempts.release(claim, release);
  const before = await recordOf(stores, tenant, claim.jobId);
  const outbox = await outboxOf(stores, tenant);
  expect(await stores.attempts.release(claim, release)).toBe('released');
  expect(await recordOf(stores, tenant, claim.jobId)).toEqual(before);
  expect(await outboxOf(stores, tenant)).toEqual(outbox);
});

test('lost: once another claim has begun, or the job is cancelled', async () => {
  const tenant = newTenant();
  const first = await started(stores, tenant);
  await stores.attempts.release(first, atOnce);
  const second = await begun(stores, tenant, first.jobId, 1);
  expect(await stores.attempts.release(first, atOnce)).toBe('lost');
  expect(await stores.attempts.stillHeld([second])).toEqual([true]);
  await stores.jobs.cancel(tenant, first.jobId);
  expect(await stores.attempts.release(second, later)).toBe('lost');
  expect(await countsOf(stores, tenant)).toEqual({ cancelled: 1 });
});

test('the event log keeps its newest 100 lines, and its numbers go on', async () => {
  const tenant = newTenant();
  const first = await started(stores, tenant);
  let claim = first;
  for (let round = 0; round < 80; round += 1) {
    await stores.attempts.release(claim, atOnce);
    claim = await begun(stores, tenant, first.jobId, 1);
  }
  const found = await stores.jobs.getWithEvents(tenant, first.jobId, 0);
  const numbers = found?.events.map(({ seq }) => seq) ?? [];
  expect(numbers).toEqual(Array.from({ length: 100 }, (_, at) => 162 - 99 + at));
  expect(found?.events.at(-1)).toMatchObject({ type: 'job.in_progress', attempts: 1 });
  expect((await stores.jobs.getWithEvents(tenant, first.jobId, 160))?.events).toHaveLength(2);
});
