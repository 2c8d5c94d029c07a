import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect } from 'vitest';
import { isSettled, newJobId } from '../../src/job/index.ts';
import { canonicalJson } from '../../src/json/index.ts';
import {
  acceptInModel,
  beginInModel,
  currentDelivery,
  endInModel,
  releaseInModel,
  settleInModel,
  type Model,
  type ModelJob,
} from './job-model.ts';
import { countsOf, newJob, outboxOf, outlive, recordOf, type Stores } from './stores.ts';

export interface Real {
  stores: Stores;
  tenant: string;
}

type Command = fc.AsyncCommand<Model, Real>;

const HOUR_MS = 3_600_000;
const pick = <T>(from: readonly T[], at: number): T => from[at % from.length]!;

/** A command that ends with a look at everything. */
const command = (
  name: string,
  check: (model: Model) => boolean,
  run: (model: Model, real: Real) => Promise<void>,
): Command => ({
  check,
  run: async (model, real) => {
    await run(model, real);
    await checkAll(model, real);
  },
  toString: () => name,
});

async function checkAll(model: Model, { stores, tenant }: Real): Promise<void> {
  const counts: Record<string, number> = {};
  for (const { status } of model.jobs) counts[status] = (counts[status] ?? 0) + 1;
  expect(await countsOf(stores, tenant)).toEqual(counts);
  const outbox = new Set(Object.keys(await outboxOf(stores, tenant)));
  expect([...outbox].toSorted()).toEqual([...model.outbox].toSorted());
  for (const job of model.jobs) await checkJob(job, model, outbox, { stores, tenant });
}

async function checkJob(
  job: ModelJob,
  model: Model,
  outbox: ReadonlySet<string>,
  { stores, tenant }: Real,
): Promise<void> {
  const record = await recordOf(stores, tenant, job.id);
  expect(record).toMatchObject({
    status: job.status,
    delivery: String(job.delivery),
    generation: String(job.generation),
    attempts: String(job.attempts),
    calls: String(job.calls),
    rescues: String(job.rescues),
  });
  if (isSettled(job.status)) {
    // Redis gives the fields of a large hash in any order.
    const text = canonicalJson(record);
    expect(text, 'a terminal record changed').toBe(model.terminal.get(job.id) ?? text);
    model.terminal.set(job.id, text);
  } else {
    const delivery = `${job.id}.${record['delivery']}`;
    expect(outbox.has(delivery) || model.queue.has(delivery), 'nobody delivers the job').toBe(true);
  }
}

const accept = (expires: boolean, again: boolean): Command =>
  command(
    `accept(${expires ? 'expires' : ''}${again ? ' again' : ''})`,
    (model) => model.jobs.length < 6,
    async (model, { stores, tenant }) => {
      const id = newJobId();
      const job = newJob(tenant, { expiresAfterMs: expires ? HOUR_MS : null });
      for (let sent = 0; sent < (again ? 2 : 1); sent += 1) {
        expect(await stores.jobs.accept(id, job, { key: id, contentHash: 'a' })).toMatchObject({
          kind: 'accepted',
        });
      }
      acceptInModel(model, id, expires);
    },
  );

/** All waits end, and a sweeper puts what is due into the queues; it may die before it confirms. */
const sweep = (confirms: boolean): Command =>
  command(
    `sweep(${confirms ? 'confirms' : 'dies'})`,
    () => true,
    async (model, { stores, tenant }) => {
      const of = stores.keys.tenant(tenant);
      for (const entry of model.outbox) await stores.redis.zadd(of.outbox, 'XX', 1, entry);
      for (const job of model.jobs.filter(({ waits }) => waits)) {
        if (!isSettled(job.status)) await stores.redis.hset(of.job(job.id), 'retry_at', '1000');
        job.waits = false;
      }
      const due = model.jobs
        .filter((job) => job.status === 'queued' && model.outbox.has(currentDelivery(job)))
        .map(currentDelivery);
      const taken = await stores.attempts.takeDue(tenant, 1000, HOUR_MS);
      const deliveries = taken.map(({ deliveryId }) => deliveryId);
      expect(deliveries.toSorted()).toEqual(due.toSorted());
      model.outbox = new Set(confirms ? [] : due);
      for (const delivery of deliveries) model.queue.add(delivery);
      if (confirms && deliveries.length > 0) {
        await stores.jobs.confirmDeliveries(tenant, deliveries);
      }
    },
  );

async function beginOnce(
  model: Model,
  { stores, tenant }: Real,
  job: ModelJob,
  delivery: number,
  claimId: string,
): Promise<void> {
  const result = await stores.attempts.begin(tenant, job.id, delivery, claimId, 'w');
  expect(result.kind).toBe(beginInModel(job, delivery, claimId));
  if (result.kind !== 'started') return;
  const { generation, attempts: attempt, rescues } = job;
  expect(result.claim).toMatchObject({ jobId: job.id, generation, attempt, rescues });
  model.claims.push({ claim: result.claim, claimId, delivery });
}

const newClaimId = (): string => randomBytes(6).toString('hex');

/**
 * Workers take a delivery, one after the other, each dying with it: the present one (if a queue has it), or a
 * leftover. The first may send a claim again.
 */
const begin = (jobAt: number, offset: number, sendsAgain: boolean, times: number): Command => {
  const target = (model: Model): ModelJob => pick(model.jobs, jobAt);
  return command(
    `begin(${jobAt}, ${offset}, ${times} times${sendsAgain ? ', again' : ''})`,
    (model) =>
      model.jobs.length > 0 && (offset !== 0 || model.queue.has(currentDelivery(target(model)))),
    async (model, real) => {
      const job = target(model);
      const again = sendsAgain ? job.claimId : null;
      await beginOnce(model, real, job, job.delivery + offset, again ?? newClaimId());
      for (let more = 1; more < times; more += 1) {
        await beginOnce(model, real, job, job.delivery + offset, newClaimId());
      }
    },
  );
};

const settle = (claimAt: number, status: 'completed' | 'failed'): Command =>
  command(
    `settle(${claimAt}, ${status})`,
    (model) => model.claims.length > 0,
    async (model, { stores }) => {
      const { claim } = pick(model.claims, claimAt);
      const job = model.jobs.find(({ id }) => id === claim.jobId)!;
      const body = JSON.stringify({ generation: claim.generation, claimAt });
      const result = await stores.attempts.settle(claim, {
        status,
        response: { statusCode: status === 'completed' ? 200 : 400, requestId: null, body },
        error: null,
        usage: null,
        costUsd: null,
      });
      expect(result).toBe(settleInModel(job, claim, status));
    },
  );

const release = (claimAt: number, delay: 'head' | 'now' | 'later', charged: boolean): Command =>
  command(
    `release(${claimAt}, ${delay}${charged ? ', charged' : ''})`,
    (model) => model.claims.length > 0,
    async (model, { stores }) => {
      const { claim } = pick(model.claims, claimAt);
      const job = model.jobs.find(({ id }) => id === claim.jobId)!;
      const result = await stores.attempts.release(claim, {
        reason: 'backoff',
        message: '',
        delayMs: delay === 'head' ? null : delay === 'now' ? 0 : HOUR_MS,
        charged,
        detail: '',
      });
      expect(result).toBe(releaseInModel(model, job, claim, delay, charged));
    },
  );

const cancel = (jobAt: number): Command =>
  command(
    `cancel(${jobAt})`,
    (model) => model.jobs.length > 0,
    async (model, { stores, tenant }) => {
      const job = pick(model.jobs, jobAt);
      const settled = isSettled(job.status);
      expect(await stores.jobs.cancel(tenant, job.id)).toBe(settled ? 'settled' : 'cancelled');
      if (!settled) endInModel(model, job, 'cancelled');
    },
  );

const outliveJob = (jobAt: number): Command =>
  command(
    `outlive(${jobAt})`,
    (model) => {
      const job = model.jobs.length > 0 ? pick(model.jobs, jobAt) : undefined;
      return job?.expires === true && !isSettled(job.status);
    },
    async (model, { stores, tenant }) => {
      const job = pick(model.jobs, jobAt);
      await outlive(stores, tenant, job.id);
      job.outlived = true;
    },
  );

const expire = (): Command =>
  command(
    'expire',
    () => true,
    async (model, { stores, tenant }) => {
      const due = model.jobs.filter((job) => job.outlived && !isSettled(job.status));
      expect(await stores.attempts.expireDue(tenant)).toBe(due.length);
      for (const job of due) endInModel(model, job, 'expired');
    },
  );

const at = fc.nat({ max: 20 });

/** Random lives of a few jobs. Claims are picked among all that ever were, so most are stale. */
export const jobCommands = fc.commands(
  [
    fc.tuple(fc.boolean(), fc.boolean()).map((args) => accept(...args)),
    fc.boolean().map(sweep),
    fc.tuple(at, fc.boolean()).map(([job, again]) => begin(job, 0, again, 1)),
    fc.tuple(at, fc.integer({ min: 1, max: 5 })).map(([job, times]) => begin(job, 0, false, times)),
    fc.tuple(at, fc.constantFrom(-1, 1)).map(([job, offset]) => begin(job, offset, false, 1)),
    fc
      .tuple(at, fc.constantFrom('completed' as const, 'failed' as const))
      .map((args) => settle(...args)),
    fc
      .tuple(at, fc.constantFrom('head' as const, 'now' as const, 'later' as const), fc.boolean())
      .map((args) => release(...args)),
    at.map(cancel),
    at.map(outliveJob),
    fc.constant(null).map(expire),
  ],
  { maxCommands: 60, size: 'max' },
);
