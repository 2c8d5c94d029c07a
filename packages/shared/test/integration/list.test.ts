import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { newJobId } from '../../src/job/index.ts';
import type { JobFilter } from '../../src/redis/index.ts';
import {
  accepted,
  newJob,
  newTenant,
  openStores,
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

const page = async (
  tenant: string,
  limit: number,
  after: string | null = null,
  filter: Partial<JobFilter> = {},
) => {
  const result = await stores.jobs.list(tenant, { metadata: {}, ...filter }, after, limit);
  if (result.kind !== 'page') throw new Error(result.kind);
  return { ids: result.jobs.map(({ id }) => id), hasMore: result.hasMore };
};

/** Follows the pages to their end. */
const walk = async (tenant: string, limit: number, filter: Partial<JobFilter> = {}) => {
  const ids: string[] = [];
  for (let after: string | null = null; ; after = ids.at(-1) ?? null) {
    const next = await page(tenant, limit, after, filter);
    ids.push(...next.ids);
    expect(next.ids.length === limit || !next.hasMore).toBe(true);
    if (!next.hasMore) return ids;
  }
};

/** Moves a job in the index to an instant of its own. */
const createdAt = async (tenant: string, id: string, ms: number): Promise<void> => {
  const of = stores.keys.tenant(tenant);
  await stores.redis.zadd(of.jobs, ms, id);
  await stores.redis.hset(of.job(id), 'created_at', String(ms));
};

test('newest first, page by page, without end, loss or repetition', async () => {
  const tenant = newTenant();
  const ids: string[] = [];
  for (let at = 0; at < 7; at += 1) {
    ids.unshift(await accepted(stores, tenant));
    await createdAt(tenant, ids[0]!, 1000 + at);
  }
  expect(await page(tenant, 3)).toEqual({ ids: ids.slice(0, 3), hasMore: true });
  expect(await page(tenant, 3, ids[2])).toEqual({ ids: ids.slice(3, 6), hasMore: true });
  expect(await page(tenant, 3, ids[5])).toEqual({ ids: ids.slice(6), hasMore: false });
  expect(await page(tenant, 7)).toEqual({ ids, hasMore: false });
  expect(await page(tenant, 3, ids[6])).toEqual({ ids: [], hasMore: false });
});

test('jobs of one millisecond are neither skipped nor shown twice, whatever the page size', async () => {
  const tenant = newTenant();
  const ids = await Promise.all(Array.from({ length: 12 }, async () => accepted(stores, tenant)));
  const instants = fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 12, maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(instants, fc.integer({ min: 1, max: 13 }), async (at, limit) => {
      await Promise.all(ids.map(async (id, index) => createdAt(tenant, id, at[index] ?? 1)));
      const walked = await walk(tenant, limit);
      expect(walked.toSorted()).toEqual(ids.toSorted());
      const instantsSeen = walked.map((id) => at[ids.indexOf(id)] ?? 0);
      expect(instantsSeen).toEqual(instantsSeen.toSorted((a, b) => b - a));
    }),
    { numRuns: 20 },
  );
});

test('a job that arrives meanwhile does not shift the pages that follow', async () => {
  const tenant = newTenant();
  const [first, second] = [await accepted(stores, tenant), await accepted(stores, tenant)];
  await createdAt(tenant, first, 1000);
  await createdAt(tenant, second, 1001);
  expect((await page(tenant, 1)).ids).toEqual([second]);
  await accepted(stores, tenant);
  expect((await page(tenant, 1, second)).ids).toEqual([first]);
});

test('an unknown cursor is said to be one, also when it is a job of someone else', async () => {
  const [tenant, neighbour] = [newTenant(), newTenant()];
  await accepted(stores, tenant);
  const foreign = await accepted(stores, neighbour);
  for (const after of [newJobId(), foreign, 'x']) {
    expect(await stores.jobs.list(tenant, { metadata: {} }, after, 5)).toEqual({
      kind: 'unknown_cursor',
    });
  }
});

test('nobody sees the jobs of another tenant', async () => {
  await accepted(stores, newTenant());
  expect(await page(newTenant(), 10)).toEqual({ ids: [], hasMore: false });
});

describe('filters', () => {
  test('by model, metadata, status and age, together and over pages', async () => {
    const tenant = newTenant();
    const made: { id: string; at: number; model: string; team: string; held: boolean }[] = [];
    for (let at = 0; at < 12; at += 1) {
      const model = at % 2 === 0 ? 'a' : 'b';
      const team = at % 3 === 0 ? 'x' : 'y';
      const held = at % 4 === 0;
      const more = { model, metadata: { team } };
      const id = held
        ? (await started(stores, tenant, more)).jobId
        : await accepted(stores, tenant, more);
      await createdAt(tenant, id, 1000 + at);
      made.unshift({ id, at, model, team, held });
    }
    const idsOf = (keep: (job: (typeof made)[number]) => boolean): string[] =>
      made.filter(keep).map(({ id }) => id);
    for (const limit of [1, 2, 5]) {
      expect(await walk(tenant, limit, { model: 'a' })).toEqual(idsOf((job) => job.model === 'a'));
      expect(await walk(tenant, limit, { metadata: { team: 'x' } })).toEqual(
        idsOf((job) => job.team === 'x'),
      );
      expect(await walk(tenant, limit, { status: 'in_progress' })).toEqual(
        idsOf((job) => job.held),
      );
      expect(await walk(tenant, limit, { createdAfterMs: 1005 })).toEqual(
        idsOf((job) => job.at > 5),
      );
      expect(
        await walk(tenant, limit, {
          model: 'b',
          metadata: { team: 'y' },
          status: 'queued',
          createdAfterMs: 1002,
        }),
      ).toEqual(idsOf((job) => job.model === 'b' && job.team === 'y' && !job.held && job.at > 2));
    }
    expect(await walk(tenant, 5, { metadata: { toString: 'x' } })).toEqual([]);
    expect(await walk(tenant, 5, { model: 'none' })).toEqual([]);
  });

  test('by a status that ends without a result, out of an index of its own', async () => {
    const tenant = newTenant();
    const cancelled: string[] = [];
    for (let at = 0; at < 5; at += 1) {
      const id = await accepted(stores, tenant);
      await stores.jobs.cancel(tenant, id);
      cancelled.push(id);
      const claim = await started(stores, tenant);
      await stores.attempts.settle(claim, {
        status: 'failed',
        response: null,
        error: { code: 'provider_error', message: '' },
        usage: null,
        costUsd: null,
      });
    }
    expect((await walk(tenant, 2, { status: 'cancelled' })).toSorted()).toEqual(
      cancelled.toSorted(),
    );
    expect(await walk(tenant, 2, { status: 'failed' })).toHaveLength(5);
    expect(await walk(tenant, 2, { status: 'expired' })).toEqual([]);
    expect(
      await stores.jobs.list(tenant, { metadata: {}, status: 'failed' }, cancelled[0]!, 2),
    ).toEqual({ kind: 'unknown_cursor' });
  });

  test('a few matches among more jobs than are read at once', async () => {
    const tenant = newTenant();
    const wanted: string[] = [];
    for (let portion = 0; portion < 3; portion += 1) {
      wanted.push(await accepted(stores, tenant, { model: 'rare' }));
      await Promise.all(
        Array.from({ length: 400 }, async () =>
          stores.jobs.accept(newJobId(), newJob(tenant, { model: 'common' }), null),
        ),
      );
    }
    expect(await walk(tenant, 1, { model: 'rare' })).toEqual(wanted.toReversed());
    expect(await page(tenant, 3, null, { model: 'rare' })).toMatchObject({ hasMore: false });
  });

  test('a record whose retention has ended leaves a gap and no shorter page', async () => {
    const tenant = newTenant();
    const ids = await Promise.all(Array.from({ length: 6 }, async () => accepted(stores, tenant)));
    await Promise.all(ids.map(async (id, at) => createdAt(tenant, id, 1000 - at)));
    await stores.redis.del(stores.keys.tenant(tenant).job(ids[1]!));
    expect(await page(tenant, 3)).toEqual({ ids: [ids[0], ids[2], ids[3]], hasMore: true });
    expect(await walk(tenant, 2)).toEqual(ids.toSpliced(1, 1));
  });
});

test('a page of large answers ends early and says that there is more', async () => {
  const tenant = newTenant();
  const body = JSON.stringify({ text: 'x'.repeat(9_000_000) });
  const ids: string[] = [];
  for (let at = 0; at < 3; at += 1) {
    const claim = await started(stores, tenant);
    const response = { statusCode: 200, requestId: null, body };
    const settlement = { response, error: null, usage: null, costUsd: null };
    await stores.attempts.settle(claim, { status: 'completed', ...settlement });
    ids.unshift(claim.jobId);
    await createdAt(tenant, claim.jobId, 1000 + at);
  }
  expect(await page(tenant, 100)).toEqual({ ids: ids.slice(0, 1), hasMore: true });
  expect(await page(tenant, 100, ids[1])).toEqual({ ids: ids.slice(2), hasMore: false });
});
