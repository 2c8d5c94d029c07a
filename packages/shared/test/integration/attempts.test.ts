import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { eventually } from '@nightshift/local';
import { newJobId, noStanding } from '../../src/job/index.ts';
import { MAX_RESCUES, type Settlement } from '../../src/redis/index.ts';
import {
  accepted,
  begun,
  countsOf,
  newJob,
  newTenant,
  openStores,
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

const usage = {
  inputTokens: 5,
  cachedInputTokens: 1,
  outputTokens: 7,
  reasoningTokens: 2,
  totalTokens: 12,
};
const completed: Settlement = {
  status: 'completed',
  response: { statusCode: 200, requestId: 'req_1', body: '{"n":1.0}' },
  error: null,
  usage,
  costUsd: 1.5e-7,
};
const failed: Settlement = {
  status: 'failed',
  response: null,
  error: { code: 'provider_unreachable', message: 'refused' },
  usage: null,
  costUsd: null,
};

describe('begin', () => {
  test('claims a queued job and hands over what the call needs', async () => {
    const tenant = newTenant();
    const events = await stores.listen(stores.keys.channels.events);
    const id = await accepted(stores, tenant, {
      body: '{"model":"m","seed":9007199254740993}',
      priority: 'bulk',
      expiresAfterMs: 60_000,
    });
    const claim = await begun(stores, tenant, id, 1);
    const job = await stores.jobs.get(tenant, id);
    expect(claim).toEqual({
      tenant,
      jobId: id,
      generation: 1,
      attempt: 1,
      rescues: 0,
      maxAttempts: 8,
      endpoint: '/v1/chat/completions',
      priority: 'bulk',
      body: '{"model":"m","seed":9007199254740993}',
      expiresAtMs: job?.expiresAtMs,
      firstAttemptAtMs: claim.nowMs,
      createdAtMs: job?.createdAtMs,
      standing: noStanding,
      nowMs: claim.nowMs,
    });
    expect(job).toMatchObject({
      status: 'in_progress',
      attempts: 1,
      startedAtMs: claim.nowMs,
      waitReason: null,
    });
    expect(await recordOf(stores, tenant, id)).toMatchObject({ calls: '1', worker: 'worker-1' });
    expect(await countsOf(stores, tenant)).toEqual({ in_progress: 1 });
    await eventually(() => events.includes(`${tenant} ${id} in_progress 2`));
  });

  test('missing: no such record', async () => {
    const result = await stores.attempts.begin(newTenant(), newJobId(), 1, 'c', 'w');
    expect(result).toEqual({ kind: 'missing' });
  });

  test('settled: nothing to do', async () => {
    const tenant = newTenant();
    const claim = await started(stores, tenant);
    await stores.attempts.settle(claim, completed);
    expect(await stores.attempts.begin(tenant, claim.jobId, 1, 'c', 'w')).toEqual({
      kind: 'settled',
    });
  });

  test('stale: a delivery before the present one, or after it, counts for nothing', async () => {
    const tenant = newTenant();
    const claim = await started(stores, tenant);
    await stores.attempts.release(claim, {
      reason: 'backoff',
      message: 'later',
      delayMs: 0,
      charged: true,
      detail: 'backoff',
    });
    const before = await recordOf(stores, tenant, claim.jobId);
    for (const delivery of [1, 3]) {
      expect(await stores.attempts.begin(tenant, claim.jobId, delivery, 'c', 'w')).toEqual({
        kind: 'stale',
      });
    }
    expect(await recordOf(stores, tenant, claim.jobId)).toEqual(before);
    expect(await begun(stores, tenant, claim.jobId, 2)).toMatchObject({ attempt: 2 });
  });

  test('not_due: before run_at, and before a retry', async () => {
    const tenant = newTenant();
    const id = newJobId();
    const runAtMs = 4_000_000_000_000;
    const result = await stores.jobs.accept(id, newJob(tenant, { runAtMs }), null);
    if (result.kind !== 'accepted') throw new Error(result.kind);
    const early = await stores.attempts.begin(tenant, id, 1, 'c', 'w');
    if (early.kind !== 'not_due') throw new Error(early.kind);
    expect(early.waitMs).toBeLessThanOrEqual(runAtMs - result.nowMs);
    expect(early.waitMs).toBeGreaterThan(runAtMs - result.nowMs - 60_000);
    expect(await countsOf(stores, tenant)).toEqual({ queued: 1 });

    const claim = await started(stores, tenant);
    await stores.attempts.release(claim, {
      reason: 'backoff',
      message: '',
      delayMs: 60_000,
      charged: true,
      detail: '',
    });
    expect(await stores.attempts.begin(tenant, claim.jobId, 2, 'c', 'w')).toMatchObject({
      kind: 'not_due',
    });
  });

  test('expired: settled here when its time is up', async () => {
    const tenant = newTenant();
    const id = await accepted(stores, tenant, { expiresAfterMs: 60_000 });
    await outlive(stores, tenant, id);
    expect(await stores.attempts.begin(tenant, id, 1, 'c', 'w')).toEqual({ kind: 'expired' });
    expect(await stores.jobs.get(tenant, id)).toMatchObject({
      status: 'expired',
      attempts: 0,
      error: { code: 'job_expired' },
    });
    expect(await stores.redis.zscore(stores.keys.tenant(tenant).expiring, id)).toBeNull();
    expect(await countsOf(stores, tenant)).toEqual({ expired: 1 });
  });

  test('the same claim sent again gets the same answer and starts nothing', async () => {
    const tenant = newTenant();
    const id = await accepted(stores, tenant);
    const first = await begun(stores, tenant, id, 1, 'claim-1');
    const before = await recordOf(stores, tenant, id);
    const again = await begun(stores, tenant, id, 1, 'claim-1');
    expect({ ...again, nowMs: 0 }).toEqual({ ...first, nowMs: 0 });
    expect(await recordOf(stores, tenant, id)).toEqual(before);
  });

  test('a rescue goes under the next generation, and the one that lost it is shut out', async () => {
    const tenant = newTenant();
    const lost = await started(stores, tenant);
    const rescue = await begun(stores, tenant, lost.jobId, 1);
    expect(rescue).toMatchObject({
      generation: 2,
      attempt: 2,
      rescues: 1,
      firstAttemptAtMs: lost.firstAttemptAtMs,
    });
    expect(await stores.attempts.stillHeld([lost, rescue])).toEqual([false, true]);
    const before = await recordOf(stores, tenant, lost.jobId);
    expect(await stores.attempts.settle(lost, completed)).toBe('lost');
    const release = { reason: null, message: '', delayMs: null, charged: false, detail: '' };
    expect(await stores.attempts.release(lost, release)).toBe('lost');
    expect(await recordOf(stores, tenant, lost.jobId)).toEqual(before);
    expect(await stores.attempts.settle(rescue, completed)).toBe('settled');
    expect(await countsOf(stores, tenant)).toEqual({ completed: 1 });
  });

  test('quarantined: failed after more deaths than allowed', async () => {
    const tenant = newTenant();
    const { jobId } = await started(stores, tenant);
    for (let rescue = 1; rescue <= MAX_RESCUES; rescue += 1) {
      expect(await begun(stores, tenant, jobId, 1)).toMatchObject({ rescues: rescue });
    }
    expect(await stores.attempts.begin(tenant, jobId, 1, 'c', 'w')).toEqual({
      kind: 'quarantined',
    });
    expect(await stores.jobs.get(tenant, jobId)).toMatchObject({
      status: 'failed',
      error: { code: 'worker_lost', message: expect.stringContaining('died 4 times') as string },
    });
    expect(await recordOf(stores, tenant, jobId)).toMatchObject({ calls: '4' });
    expect(await countsOf(stores, tenant)).toEqual({ failed: 1 });
    expect(await stores.attempts.begin(tenant, jobId, 1, 'c2', 'w')).toEqual({ kind: 'settled' });
  });
});

describe('settle', () => {
  test('completed: the answer, usage and cost as they came', async () => {
    const tenant = newTenant();
    const events = await stores.listen(stores.keys.channels.events);
    const claim = await started(stores, tenant, { expiresAfterMs: 60_000 });
    expect(await stores.attempts.settle(claim, completed)).toBe('settled');
    const job = await stores.jobs.get(tenant, claim.jobId);
    expect(job).toMatchObject({
      status: 'completed',
      response: completed.response,
      error: null,
      usage,
      costUsd: 1.5e-7,
    });
    expect(job?.settledAtMs).toBeGreaterThanOrEqual(claim.nowMs);
    const of = stores.keys.tenant(tenant);
    expect(await stores.redis.zscore(of.expiring, claim.jobId)).toBeNull();
    expect(await stores.redis.zcard(of.unsuccessful)).toBe(0);
    expect(await stores.redis.pttl(of.job(claim.jobId))).toBeGreaterThan(
      stores.retentionMs - 60_000,
    );
    await eventually(() => events.includes(`${tenant} ${claim.jobId} completed 3`));
  });

  test('failed: with its reason, and listed as unsuccessful', async () => {
    const tenant = newTenant();
    const claim = await started(stores, tenant);
    expect(await stores.attempts.settle(claim, failed)).toBe('settled');
    expect(await stores.jobs.get(tenant, claim.jobId)).toMatchObject({
      status: 'failed',
      response: null,
      error: failed.error,
      usage: null,
      costUsd: null,
    });
    const of = stores.keys.tenant(tenant);
    expect(await stores.redis.zrange(of.unsuccessful, '0', '-1')).toEqual([
      `failed ${claim.jobId}`,
    ]);
    expect(await countsOf(stores, tenant)).toEqual({ failed: 1 });
  });

  test('sent again: settled, and the first record stands, also against other content', async () => {
    const tenant = newTenant();
    const claim = await started(stores, tenant);
    await stores.attempts.settle(claim, completed);
    const before = await recordOf(stores, tenant, claim.jobId);
    expect(await stores.attempts.settle(claim, completed)).toBe('settled');
    expect(await stores.attempts.settle(claim, failed)).toBe('settled');
    expect(await recordOf(stores, tenant, claim.jobId)).toEqual(before);
    expect(await countsOf(stores, tenant)).toEqual({ completed: 1 });
  });

  test('lost: after a cancel, after a release, and for a record that is gone', async () => {
    const tenant = newTenant();
    const cancelled = await started(stores, tenant);
    await stores.jobs.cancel(tenant, cancelled.jobId);
    expect(await stores.attempts.settle(cancelled, completed)).toBe('lost');
    expect(await stores.jobs.get(tenant, cancelled.jobId)).toMatchObject({
      status: 'cancelled',
      response: null,
    });
    const released = await started(stores, tenant);
    const release = { reason: null, message: '', delayMs: null, charged: false, detail: '' };
    await stores.attempts.release(released, release);
    expect(await stores.attempts.settle(released, completed)).toBe('lost');
    expect(await stores.attempts.settle({ ...released, jobId: newJobId() }, completed)).toBe(
      'lost',
    );
    expect(await countsOf(stores, tenant)).toEqual({ cancelled: 1, queued: 1 });
  });
});
