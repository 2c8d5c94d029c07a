import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { newJobId } from '../../src/job/index.ts';
import {
  accepted,
  begun,
  countsOf,
  DAY_MS,
  newJob,
  newTenant,
  openStores,
  outboxOf,
  recordOf,
  type Stores,
} from '../support/stores.ts';

let stores: Stores;
beforeAll(async () => {
  stores = await openStores(inject('redisUrl'));
});
afterAll(async () => {
  await stores.close();
});

test('a job is on record, indexed, counted and in the outbox', async () => {
  const tenant = newTenant();
  const id = newJobId();
  const result = await stores.jobs.accept(
    id,
    newJob(tenant, {
      body: '{"model":"m","n":1.0}',
      metadata: { team: 'night' },
      priority: 'bulk',
      expiresAfterMs: DAY_MS,
      retryOf: 'job_before',
    }),
    null,
  );
  if (result.kind !== 'accepted') throw new Error(result.kind);
  expect(result.dueAtMs).toBe(result.nowMs);
  expect(await stores.jobs.get(tenant, id)).toMatchObject({
    id,
    tenant,
    status: 'queued',
    priority: 'bulk',
    attempts: 0,
    maxAttempts: 8,
    delivery: 1,
    createdAtMs: result.nowMs,
    expiresAtMs: result.nowMs + DAY_MS,
    metadata: { team: 'night' },
    retryOf: 'job_before',
    startedAtMs: null,
    settledAtMs: null,
  });
  expect(await stores.jobs.getBody(tenant, id)).toBe('{"model":"m","n":1.0}');
  expect(await countsOf(stores, tenant)).toEqual({ queued: 1 });
  expect(await outboxOf(stores, tenant)).toEqual({ [`${id}.1`]: result.nowMs + 5000 });
  expect(await stores.jobs.tenants()).toContain(tenant);
  const of = stores.keys.tenant(tenant);
  expect(await stores.redis.zscore(of.jobs, id)).toBe(String(result.nowMs));
  expect(await stores.redis.zscore(of.expiring, id)).toBe(String(result.nowMs + DAY_MS));
  expect(await stores.redis.ttl(of.job(id))).toBe(-1);
  expect(await stores.jobs.getWithEvents(tenant, id, 0)).toMatchObject({
    events: [{ seq: 1, type: 'job.queued', atMs: result.nowMs, attempts: 0 }],
  });
});

test('run_at ahead: due then, and the outbox holds it until then; run_at in the past: due now', async () => {
  const tenant = newTenant();
  const [later, past] = [newJobId(), newJobId()];
  const runAtMs = 4_000_000_000_123;
  const ahead = await stores.jobs.accept(later, newJob(tenant, { runAtMs }), null);
  expect(ahead).toMatchObject({ kind: 'accepted', dueAtMs: runAtMs });
  expect(await outboxOf(stores, tenant)).toEqual({ [`${later}.1`]: runAtMs });
  expect(await stores.jobs.get(tenant, later)).toMatchObject({ runAtMs });
  const behind = await stores.jobs.accept(past, newJob(tenant, { runAtMs: 5 }), null);
  if (behind.kind !== 'accepted') throw new Error(behind.kind);
  expect(behind.dueAtMs).toBe(behind.nowMs);
});

test('sent again with the same id, whatever became of the job: accepted, and nothing twice', async () => {
  const tenant = newTenant();
  const id = await accepted(stores, tenant);
  const before = await recordOf(stores, tenant, id);
  expect(await stores.jobs.accept(id, newJob(tenant), null)).toMatchObject({ kind: 'accepted' });
  expect(await recordOf(stores, tenant, id)).toEqual(before);
  await begun(stores, tenant, id, 1);
  expect(await stores.jobs.accept(id, newJob(tenant), null)).toMatchObject({ kind: 'accepted' });
  expect(await countsOf(stores, tenant)).toEqual({ in_progress: 1 });
  expect(await stores.jobs.get(tenant, id)).toMatchObject({ status: 'in_progress' });
});

describe('an idempotency key', () => {
  const same = { key: 'key-1', contentHash: 'a' };

  test('same content: the first job; other content: a conflict that changes nothing', async () => {
    const tenant = newTenant();
    const first = newJobId();
    await stores.jobs.accept(first, newJob(tenant), same);
    expect(await stores.jobs.accept(newJobId(), newJob(tenant), same)).toEqual({
      kind: 'replayed',
      id: first,
    });
    const other = newJobId();
    expect(await stores.jobs.accept(other, newJob(tenant), { ...same, contentHash: 'b' })).toEqual({
      kind: 'conflict',
      id: first,
    });
    expect(await stores.jobs.get(tenant, other)).toBeNull();
    expect(await countsOf(stores, tenant)).toEqual({ queued: 1 });
    expect(Object.keys(await outboxOf(stores, tenant))).toEqual([`${first}.1`]);
  });

  test('sent again with the same id and key: accepted', async () => {
    const tenant = newTenant();
    const id = newJobId();
    await stores.jobs.accept(id, newJob(tenant), same);
    const again = await stores.jobs.accept(id, newJob(tenant), same);
    expect(again).toMatchObject({ kind: 'accepted', id });
    expect(await countsOf(stores, tenant)).toEqual({ queued: 1 });
  });

  test('lives for 24 hours, under a hash, and for its tenant alone', async () => {
    const [tenant, neighbour] = [newTenant(), newTenant()];
    await stores.jobs.accept(newJobId(), newJob(tenant), same);
    const stored = (await stores.allKeys()).filter((key) =>
      key.startsWith(stores.keys.tenant(tenant).idempotency('')),
    );
    expect(stored).toHaveLength(1);
    expect(stored[0]).not.toContain('key-1');
    const left = await stores.redis.pttl(stored[0]!);
    expect(left).toBeGreaterThan(DAY_MS - 60_000);
    expect(left).toBeLessThanOrEqual(DAY_MS);
    expect(await stores.jobs.accept(newJobId(), newJob(neighbour), same)).toMatchObject({
      kind: 'accepted',
    });
  });

  test('fifty times in parallel: one job', async () => {
    const tenant = newTenant();
    const results = await Promise.all(
      Array.from({ length: 50 }, async () => stores.jobs.accept(newJobId(), newJob(tenant), same)),
    );
    expect(new Set(results.map(({ id }) => id)).size).toBe(1);
    expect(results.filter(({ kind }) => kind === 'accepted')).toHaveLength(1);
    expect(await countsOf(stores, tenant)).toEqual({ queued: 1 });
  });
});
