import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { newJobId, type NewJob } from '../../src/job/index.ts';
import {
  createConductorStore,
  type AcceptResult,
  type Idempotency,
} from '../../src/redis/index.ts';
import {
  accepted,
  begun,
  newJob,
  newTenant,
  openStores,
  outboxOf,
  type Stores,
} from '../support/stores.ts';

const LANE = 'lane_0123456789abcdef';

/** For these tenants, how fast results of the lane come when a call of theirs arrives, and since when. */
const paces = new Map<string, { perSecond: number; sinceMs: number }>();

let stores: Stores;
beforeAll(async () => {
  stores = await openStores(inject('redisUrl'), {
    sabotage: (run, redis) => async (name, keys, args) => {
      const pace = paces.get(String(args[0]));
      if (name === 'accept-job' && pace !== undefined) {
        const since = Date.now() + pace.sinceMs;
        void redis.hset(keys[4] ?? '', LANE, `${since} 0 ${pace.perSecond}`);
      }
      return run(name, keys, args);
    },
  });
});
afterAll(async () => {
  await stores.close();
});

const setPace = (tenant: string, perSecond: number, sinceMs = 0): void => {
  paces.set(tenant, { perSecond, sinceMs });
};

/** Accepts jobs in one call, and says for each what its caller is to put into the queue, by ids. */
const acceptAtOnce = async (
  tenant: string,
  jobs: readonly Partial<NewJob>[],
  idempotency: Idempotency | null = null,
) => {
  const ids = jobs.map(() => newJobId());
  const results = await Promise.all(
    jobs.map(async (more, at) => stores.jobs.accept(ids[at]!, newJob(tenant, more), idempotency)),
  );
  return { ids, results, entries: results.map(entryOf) };
};
const entryOf = (result: AcceptResult): string[] | null => {
  if (result.kind !== 'accepted' || result.entry === null) return null;
  const { deliveryId, others } = result.entry;
  return [deliveryId, ...others.map((other) => other.deliveryId)];
};
const plain = (count: number): Partial<NewJob>[] => Array.from({ length: count }, () => ({}));
const deliveries = (ids: readonly string[]): string[] => ids.map((id) => `${id}.1`);
const outbox = async (tenant: string): Promise<string[]> =>
  Object.keys(await outboxOf(stores, tenant)).toSorted();

test('jobs of a lane whose results come fast share an entry, and its outbox entry', async () => {
  const tenant = newTenant();
  setPace(tenant, 1000);
  const { ids, entries } = await acceptAtOnce(tenant, plain(12));
  expect(entries[0]).toEqual(deliveries(ids.slice(0, 5)));
  expect(entries[5]).toEqual(deliveries(ids.slice(5, 10)));
  expect(entries[10]).toEqual(deliveries(ids.slice(10)));
  expect(entries.filter((entry) => entry === null)).toHaveLength(9);
  expect(await outbox(tenant)).toEqual(
    [entries[0], entries[5], entries[10]].map((entry) => entry!.join(' ')).toSorted(),
  );
});

test('never more than sixteen', async () => {
  const tenant = newTenant();
  setPace(tenant, 1_000_000);
  const { entries } = await acceptAtOnce(tenant, plain(40));
  expect(entries.flatMap((entry) => entry?.length ?? [])).toEqual([16, 16, 8]);
});

test('what their calls will be charged goes with them', async () => {
  const tenant = newTenant();
  setPace(tenant, 1000);
  const { ids, results } = await acceptAtOnce(tenant, [
    { tokens: [12, 30, 1] },
    {},
    { tokens: [7, null, 2] },
  ]);
  expect(results[0]).toMatchObject({
    entry: {
      deliveryId: `${ids[0]}.1`,
      tokens: [12, 30, 1],
      others: [
        { deliveryId: `${ids[1]}.1`, tokens: null },
        { deliveryId: `${ids[2]}.1`, tokens: [7, null, 2] },
      ],
    },
  });
});

test.each([
  ['no result has come yet', null],
  ['they come slowly', (tenant: string) => setPace(tenant, 399)],
  ['they came fast once', (tenant: string) => setPace(tenant, 5000, -3000)],
  ['the clock went back', (tenant: string) => setPace(tenant, 5000, 60_000)],
])('each has an entry of its own where %s', async (_, prepare) => {
  const tenant = newTenant();
  prepare?.(tenant);
  const { ids, entries } = await acceptAtOnce(tenant, plain(5));
  expect(entries).toEqual(ids.map((id) => [`${id}.1`]));
  expect(await outbox(tenant)).toEqual(deliveries(ids).toSorted());
});

test('only jobs of one lane and priority share an entry', async () => {
  const tenant = newTenant();
  setPace(tenant, 1000);
  const { ids, entries } = await acceptAtOnce(tenant, [
    {},
    { priority: 'bulk' },
    { laneId: 'lane_fedcba9876543210' },
    {},
    { priority: 'bulk' },
    { laneId: 'lane_fedcba9876543210' },
  ]);
  const of = (...at: number[]): string[] => deliveries(at.map((each) => ids[each]!));
  // Nothing is known of the other lane's pace.
  expect(entries).toEqual([of(0, 3), of(1, 4), of(2), null, null, of(5)]);
});

test('a job that is not due stays by itself in the outbox', async () => {
  const tenant = newTenant();
  setPace(tenant, 1000);
  const { ids, entries } = await acceptAtOnce(tenant, [{}, { runAtMs: 4_000_000_000_000 }, {}]);
  expect(entries).toEqual([deliveries([ids[0]!, ids[2]!]), null, null]);
  expect((await outboxOf(stores, tenant))[`${ids[1]}.1`]).toBe(4_000_000_000_000);
});

test('what is not accepted is in no entry, wherever it stood', async () => {
  const tenant = newTenant();
  const earlier = await acceptAtOnce(tenant, [{}], { key: 'k', contentHash: 'a' });
  setPace(tenant, 1000);
  const ids = [newJobId(), newJobId(), newJobId()];
  const [replayed, first, conflict, second] = await Promise.all([
    stores.jobs.accept(newJobId(), newJob(tenant), { key: 'k', contentHash: 'a' }),
    stores.jobs.accept(ids[0]!, newJob(tenant), null),
    stores.jobs.accept(newJobId(), newJob(tenant), { key: 'k', contentHash: 'b' }),
    stores.jobs.accept(ids[1]!, newJob(tenant), { key: 'new', contentHash: 'a' }),
  ]);
  expect(replayed).toEqual({ kind: 'replayed', id: earlier.ids[0] });
  expect(conflict).toEqual({ kind: 'conflict', id: earlier.ids[0] });
  expect(entryOf(first)).toEqual(deliveries(ids.slice(0, 2)));
  expect(entryOf(second)).toBeNull();
});

test('sent again after a lost answer, it is left to the entry that it has', async () => {
  const tenant = newTenant();
  setPace(tenant, 1000);
  const { ids, entries } = await acceptAtOnce(tenant, [{}, {}]);
  const again = await Promise.all(
    ids.map(async (id) => stores.jobs.accept(id, newJob(tenant), null)),
  );
  expect(again.map(({ kind }) => kind)).toEqual(['accepted', 'accepted']);
  expect(again.map(entryOf)).toEqual([null, null]);
  expect(await outbox(tenant)).toEqual([entries[0]!.join(' ')]);
});

test('the pace is that of the results', async () => {
  const tenant = newTenant();
  const settleMany = async (): Promise<void> => {
    const ids = await Promise.all(Array.from({ length: 60 }, async () => accepted(stores, tenant)));
    const claims = await Promise.all(ids.map(async (id) => begun(stores, tenant, id, 1)));
    await Promise.all(
      claims.map(async (claim) =>
        stores.attempts.settle(claim, {
          ...{ status: 'completed', response: { statusCode: 200, requestId: null, body: '{}' } },
          ...{ error: null, usage: null, costUsd: null },
        }),
      ),
    );
  };
  const pace = async (): Promise<number[]> =>
    ((await stores.redis.hget(stores.keys.tenant(tenant).paces, LANE)) ?? '')
      .split(' ')
      .map(Number);

  await settleMany();
  const [since, count] = await pace();
  expect(count).toBe(60);
  // As if the first results had come 300 ms ago: with the next the span is over.
  await stores.redis.hset(stores.keys.tenant(tenant).paces, LANE, `${since! - 300} ${count} 0`);
  await settleMany();
  const [, , perSecond] = await pace();
  const [seconds, micros] = await stores.redis.time();
  const longestMs = Number(seconds) * 1000 + Number(micros) / 1000 - since! + 301;
  expect(perSecond).toBeLessThanOrEqual(120_000 / 300);
  expect(perSecond).toBeGreaterThanOrEqual(Math.floor(120_000 / longestMs));
  expect(await stores.redis.pttl(stores.keys.tenant(tenant).paces)).toBeGreaterThan(0);
});

test('a conductor is told the pace of a lane, while it is no older than a second', async () => {
  const tenant = newTenant();
  const store = createConductorStore(stores);
  const pace = async () => store.pace({ tenant, id: 'batch_1', epoch: '1' }, LANE);
  expect(await pace()).toBe(0);
  const at = async (sinceMs: number) => {
    const [seconds = 0] = await stores.redis.time();
    const since = seconds * 1000 + sinceMs;
    await stores.redis.hset(stores.keys.tenant(tenant).paces, LANE, `${since} 12 3400`);
  };
  await at(0);
  expect(await pace()).toBe(3400);
  await at(-1500);
  expect(await pace()).toBe(0);
});
