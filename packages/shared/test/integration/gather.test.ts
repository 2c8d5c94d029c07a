import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest';
import { eventually } from '@nightshift/local';
import { newJobId } from '../../src/job/index.ts';
import { isRedisFull, type RunScript, type Settlement } from '../../src/redis/index.ts';
import { asSent, make, newIds, stored, turns, type AnyMove } from '../support/move-sequences.ts';
import { redisServer, startOwnRedis, type OwnRedis } from '../support/own-redis.ts';
import {
  accepted,
  begun,
  countsOf,
  newJob,
  newTenant,
  openStores,
  outboxOf,
  outlive,
  recordOf,
  started,
  type Stores,
} from '../support/stores.ts';

const completed: Settlement = {
  status: 'completed',
  response: { statusCode: 200, requestId: 'req_1', body: '{"n":1.0}' },
  error: null,
  usage: null,
  costUsd: null,
};

/** How often each script was called. */
const counting =
  (calls: string[]) =>
  (run: RunScript): RunScript =>
  async (name, keys, args) => {
    calls.push(name);
    return run(name, keys, args);
  };

let stores: Stores;
const calls: string[] = [];
beforeAll(async () => {
  stores = await openStores(inject('redisUrl'), { sabotage: counting(calls) });
});
afterEach(() => {
  calls.length = 0;
});
afterAll(async () => {
  await stores.close();
});

const times = async <T>(count: number, one: (at: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, async (_, at) => one(at)));

test('a hundred jobs at once: two calls of each script, and each caller has its own job', async () => {
  const tenant = newTenant();
  await accepted(stores, tenant);
  calls.length = 0;
  const ids = await times(100, async (at) => accepted(stores, tenant, { body: `{"at":${at}}` }));
  const claims = await times(100, async (at) => begun(stores, tenant, ids[at]!, 1));
  expect(claims.map(({ jobId, body }) => [jobId, body])).toEqual(
    ids.map((id, at) => [id, `{"at":${at}}`]),
  );
  const results = await times(100, async (at) =>
    stores.attempts.settle(claims[at]!, {
      ...completed,
      response: { statusCode: 200, requestId: null, body: `answer ${at}` },
    }),
  );
  expect(new Set(results)).toEqual(new Set(['settled']));
  for (const [at, id] of ids.entries()) {
    expect(await stores.jobs.get(tenant, id)).toMatchObject({
      status: 'completed',
      response: { body: `answer ${at}` },
    });
  }
  expect(await countsOf(stores, tenant)).toEqual({ queued: 1, completed: 100 });
  expect(Object.keys(await outboxOf(stores, tenant))).toHaveLength(101);
  expect(calls).toEqual(
    ['accept-job', 'begin-attempt', 'settle-job'].flatMap((name) => [name, name]),
  );
});

test('a result goes before what is begun in the same turn, whoever asked first', async () => {
  const tenant = newTenant();
  const over = await started(stores, tenant);
  const next = await accepted(stores, tenant);
  calls.length = 0;
  await Promise.all([begun(stores, tenant, next, 1), stores.attempts.settle(over, completed)]);
  expect(calls).toEqual(['settle-job', 'begin-attempt']);
});

test('mixed results in one call: each is what it would have been alone', async () => {
  const tenant = newTenant();
  const [fresh, later, late, doomed] = [
    await accepted(stores, tenant),
    newJobId(),
    await accepted(stores, tenant, { expiresAfterMs: 60_000 }),
    (await started(stores, tenant)).jobId,
  ];
  await stores.jobs.accept(later, newJob(tenant, { runAtMs: 4_000_000_000_000 }), null);
  await outlive(stores, tenant, late);
  for (const claimId of ['b', 'c', 'd']) await begun(stores, tenant, doomed, 1, claimId);
  const over = await started(stores, tenant);
  await stores.attempts.settle(over, completed);
  calls.length = 0;
  const begin = async (id: string, delivery = 1) =>
    stores.attempts.begin(tenant, id, delivery, randomBytes(4).toString('hex'), 'w');
  const begins = await Promise.all([
    begin(fresh, 2),
    begin(newJobId()),
    begin(over.jobId),
    begin(later),
    begin(late),
    begin(doomed),
    begin(fresh),
  ]);
  expect(begins.map(({ kind }) => kind)).toEqual([
    'stale',
    'missing',
    'settled',
    'not_due',
    'expired',
    'quarantined',
    'started',
  ]);
  expect(calls).toEqual(['begin-attempt']);
  const [claim] = begins.flatMap((result) => (result.kind === 'started' ? [result.claim] : []));
  if (claim === undefined) throw new Error('none was started');

  const settles = await Promise.all([
    stores.attempts.settle({ ...claim, generation: 7 }, completed),
    stores.attempts.settle({ ...claim, jobId: newJobId() }, completed),
    stores.attempts.settle(over, completed),
    stores.attempts.settle(claim, completed),
  ]);
  expect(settles).toEqual(['lost', 'lost', 'settled', 'settled']);
  expect(await countsOf(stores, tenant)).toEqual({
    queued: 1,
    completed: 2,
    failed: 1,
    expired: 1,
  });
});

test('the same job twice in one call: the moves are made in their order', async () => {
  const tenant = newTenant();
  const id = newJobId();
  const both = await times(2, async () => stores.jobs.accept(id, newJob(tenant), null));
  expect(both.map(({ kind }) => kind)).toEqual(['accepted', 'accepted']);
  const [first, second] = await times(2, async (at) => begun(stores, tenant, id, 1, `claim-${at}`));
  expect([first?.generation, second?.generation, second?.rescues]).toEqual([1, 2, 1]);
  const results = await Promise.all([
    stores.attempts.settle(first!, completed),
    stores.attempts.settle(second!, { ...completed, status: 'failed' }),
  ]);
  expect(results).toEqual(['lost', 'settled']);
  expect(await stores.jobs.get(tenant, id)).toMatchObject({ status: 'failed' });
  expect(await countsOf(stores, tenant)).toEqual({ failed: 1 });
  expect(calls).toEqual(['accept-job', 'begin-attempt', 'settle-job']);
});

test('several tenants at once: a call for each, and nothing of one in another', async () => {
  const tenants = [newTenant(), newTenant(), newTenant()];
  for (const tenant of tenants) await accepted(stores, tenant);
  calls.length = 0;
  const claims = await times(30, async (at) => started(stores, tenants[at % 3]!));
  expect(calls).toHaveLength(6);
  await Promise.all(claims.map(async (claim) => stores.attempts.settle(claim, completed)));
  for (const [at, claim] of claims.entries()) expect(claim.tenant).toBe(tenants[at % 3]);
  for (const tenant of tenants) {
    expect(await countsOf(stores, tenant)).toEqual({ queued: 1, completed: 10 });
  }
});

test('a record that is not a job breaks its own move and no other', async () => {
  const tenant = newTenant();
  const [before, odd, after] = await times(3, async () => accepted(stores, tenant));
  await stores.redis.hdel(stores.keys.tenant(tenant).job(odd!), 'seq');
  const begins = await Promise.allSettled(
    [before, odd, after].map(async (id) => begun(stores, tenant, id!, 1)),
  );
  expect(begins.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(String((begins[1] as PromiseRejectedResult).reason)).toContain('(begin-attempt)');
  expect(await countsOf(stores, tenant)).toEqual({ queued: 1, in_progress: 2 });

  const wrong = newJobId();
  await stores.redis.set(stores.keys.tenant(tenant).idempotency('odd'), 'text');
  const of = stores.keys.tenant(tenant);
  const one = (id: string, hash: string): string[] => ['4', id, '', '', hash];
  const replies = (await stores.run(
    'accept-job',
    [
      ...[of.counts, of.jobs, of.outbox, of.expiring, of.paces],
      of.job(wrong),
      of.idempotency('odd'),
    ],
    [tenant, 5000, 1000, 5, 16, ...one(wrong, 'h')],
  )) as string[][];
  expect(replies[0]?.[0]).toBe('broken');
  expect(replies[0]?.[1]).toContain('WRONGTYPE');
  expect(await stores.jobs.get(tenant, wrong)).toBeNull();
  expect(Object.keys(await outboxOf(stores, tenant))).not.toContain(`${wrong}.1`);
});

test('one message tells of all, and of each job in the order of its moves', async () => {
  const tenant = newTenant();
  const messages = await stores.listen(stores.keys.channels.events);
  const ids = await times(3, async () => accepted(stores, tenant));
  const claims = await times(3, async (at) => begun(stores, tenant, ids[at]!, 1));
  await times(3, async (at) => stores.attempts.settle(claims[at]!, completed));
  await eventually(() => messages.length === 2);
  expect(messages.map((message) => message.split('\n'))).toEqual([
    ids.map((id) => `${tenant} ${id} in_progress 2`),
    ids.map((id) => `${tenant} ${id} completed 3`),
  ]);
  const found = await stores.jobs.getWithEvents(tenant, ids[0]!, 0);
  expect(found?.events.map(({ seq, type }) => [seq, type])).toEqual([
    [1, 'job.queued'],
    [2, 'job.in_progress'],
    [3, 'job.completed'],
  ]);
});

test('gathered moves leave what single moves would, and say the same', async () => {
  const seen = new Set<string>();
  const property = fc.asyncProperty(turns, async (sequence) => {
    const [together, alone] = [newTenant(), newTenant()];
    const ids = newIds();
    const first = newJobId();
    for (const tenant of [together, alone]) {
      await stores.jobs.accept(first, newJob(tenant), null);
    }
    for (const moves of sequence) {
      const results = new Map<AnyMove, string>();
      calls.length = 0;
      await Promise.all(
        moves.map(async (move) => results.set(move, await make(stores, together, ids, move))),
      );
      for (const move of asSent(moves, [...calls])) {
        expect(await make(stores, alone, ids, move)).toBe(results.get(move));
      }
      for (const result of results.values()) seen.add(result.split(' ', 1)[0] ?? '');
    }
    expect(await stored(stores, together)).toEqual(await stored(stores, alone));
  });
  await fc.assert(property, { numRuns: 150 });
  for (const kind of ['accepted', 'replayed', 'conflict', 'started', 'stale', 'settled', 'lost']) {
    expect([...seen]).toContain(kind);
  }
}, 120_000);

test('calls that are sent again leave and say the same', async () => {
  // As the client library does when the connection broke before the answer came.
  const twice = await openStores(inject('redisUrl'), {
    sabotage: (run) => async (name, keys, args) => {
      const first = run(name, keys, args);
      const second = run(name, keys, args);
      await first;
      return second;
    },
  });
  try {
    const tenant = newTenant();
    const ids = await times(20, async () => accepted(twice, tenant));
    const claims = await times(20, async (at) => begun(twice, tenant, ids[at]!, 1));
    expect(new Set(claims.map(({ generation, rescues }) => `${generation} ${rescues}`))).toEqual(
      new Set(['1 0']),
    );
    const results = await times(20, async (at) => twice.attempts.settle(claims[at]!, completed));
    expect(new Set(results)).toEqual(new Set(['settled']));
    expect(await countsOf(twice, tenant)).toEqual({ completed: 20 });
    expect(await twice.redis.zcard(twice.keys.tenant(tenant).jobs)).toBe(20);
    expect(await recordOf(twice, tenant, ids[7]!)).toMatchObject({ seq: '3', calls: '1' });
  } finally {
    await twice.close();
  }
});

describe.skipIf(redisServer === undefined)('when Redis is full', () => {
  let server: OwnRedis;
  let full: Stores;
  beforeAll(async () => {
    server = await startOwnRedis(['--maxmemory-policy', 'noeviction']);
    full = await openStores(`redis://127.0.0.1:${server.port}`);
  });
  afterAll(async () => {
    await full.close();
    await server.stop();
  });

  test('every accept of a call is refused and leaves nothing; accepted work goes on', async () => {
    const tenant = newTenant();
    const claims = await times(5, async () => started(full, tenant));
    const queued = await times(5, async () => accepted(full, tenant));
    const keysBefore = (await full.allKeys()).toSorted();
    await full.redis.config('SET', 'maxmemory', '1');
    const refused = await Promise.allSettled(
      Array.from({ length: 8 }, async () => accepted(full, tenant, { expiresAfterMs: 60_000 })),
    );
    for (const result of refused) {
      expect(result.status === 'rejected' && isRedisFull(result.reason)).toBe(true);
    }
    expect((await full.allKeys()).toSorted()).toEqual(keysBefore);
    const begins = await times(5, async (at) => begun(full, tenant, queued[at]!, 1));
    const results = await Promise.all(
      [...claims, ...begins].map(async (claim) => full.attempts.settle(claim, completed)),
    );
    expect(new Set(results)).toEqual(new Set(['settled']));
    expect(await countsOf(full, tenant)).toEqual({ completed: 10 });
    await full.redis.config('SET', 'maxmemory', '0');
    await accepted(full, tenant);
    expect(await countsOf(full, tenant)).toEqual({ completed: 10, queued: 1 });
  });
});
