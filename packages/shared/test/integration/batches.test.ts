import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import type { NewBatch } from '../../src/batch/index.ts';
import {
  createBatchStore,
  createConductorStore,
  firstDelivery,
  lineId,
  type BatchStore,
  type Conducting,
  type ConductorStore,
} from '../../src/redis/index.ts';
import { newTenant, openStores, type Stores } from '../support/stores.ts';

let stores: Stores;
let batches: BatchStore;
let store: ConductorStore;
beforeAll(async () => {
  stores = await openStores(inject('redisUrl'));
  batches = createBatchStore(stores);
  store = createConductorStore(stores);
});
afterAll(async () => {
  await stores.close();
});

let tenant = '';
const id = 'batch_1';
beforeEach(() => {
  tenant = newTenant();
});

const newBatch = (more: Partial<NewBatch> = {}): NewBatch => ({
  tenant,
  endpoint: '/v1/chat/completions',
  inputFileId: 'file-1',
  completionWindow: '24h',
  windowMs: 86_400_000,
  metadata: { run: 'nightly' },
  outputExpiresAfterMs: null,
  runAtMs: null,
  quietHours: null,
  retryOf: null,
  ...more,
});
const putFile = async (file = 'file-1') =>
  stores.redis.hset(
    stores.keys.tenant(tenant).file(file),
    ...['id', file, 'uses', '0', 'content', '{"kind":"blob","name":"files/1"}'],
  );
const uses = async () =>
  Number(await stores.redis.hget(stores.keys.tenant(tenant).file('file-1'), 'uses'));

/** A batch of so many lines that is in progress, conducted by `worker`. */
async function begun(total: number, worker = 'worker_1'): Promise<Conducting> {
  await putFile();
  await batches.create(id, newBatch(), null);
  const conducting = await store.take(tenant, id, worker);
  if (conducting === null) throw new Error('not taken');
  const input = { total, model: 'm', errors: [], errorCount: 0 };
  expect(await store.begin(conducting, 'file-1', input)).toBe('begun');
  return conducting;
}
const place = (fed: number) => ({ fed, line: fed, bytes: fed * 100 });
const lines = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, at) => ({
    line: from + at + 1,
    customId: `c${from + at + 1}`,
    endpoint: '/v1/chat/completions' as const,
    model: 'm',
    laneId: 'lane_0123456789abcdef',
    body: '{"model":"m"}',
    tokens: null,
  }));
const singly = <Line>(all: Line[]): Line[][] => all.map((line) => [line]);
const feed = async (conducting: Conducting, from: number, to: number) =>
  store.feed(conducting, place(from), place(to), singly(lines(from, to)), 8);
const usage = {
  inputTokens: 3,
  cachedInputTokens: 0,
  outputTokens: 2,
  reasoningTokens: 0,
  totalTokens: 5,
};
let claims = 0;
const beginLine = async (line: number) => {
  claims += 1;
  const delivery = await stores.redis.hget(
    stores.keys.tenant(tenant).job(lineId(id, line)),
    'delivery',
  );
  return stores.attempts.begin(
    tenant,
    lineId(id, line),
    Number(delivery ?? 1),
    `claim-${claims}`,
    'worker_1',
  );
};
const run = async (line: number, status: 'completed' | 'failed' = 'completed') => {
  const started = await beginLine(line);
  if (started.kind !== 'started') throw new Error(started.kind);
  return stores.attempts.settle(started.claim, {
    status,
    response: { statusCode: status === 'completed' ? 200 : 400, requestId: 'r', body: '{"a":1}' },
    error: null,
    usage,
    costUsd: 0.001,
  });
};
const countsOf = async () => (await batches.get(tenant, id))?.counts;

test('lines that travel together stand in the outbox as one, until they are confirmed', async () => {
  const conducting = await begun(5);
  const [one, two, three, four, five] = lines(0, 5).map((line) => ({
    ...line,
    tokens: [9, 1, 1] as const,
  }));
  if (!one || !two || !three || !four || !five) throw new Error('five lines');
  const cut = [[one, two, three], [four], [five]];
  expect(await store.feed(conducting, place(0), place(5), cut, 8)).toBe(true);
  const of = stores.keys.tenant(tenant);
  const bundle = [1, 2, 3].map((line) => firstDelivery(id, line)).join(' ');
  expect(await stores.redis.zrange(of.outbox, '0', '-1')).toEqual(
    [bundle, firstDelivery(id, 4), firstDelivery(id, 5)].toSorted(),
  );
  for (const entry of await stores.redis.zrange(of.outbox, '0', '-1')) {
    await stores.redis.zadd(of.outbox, 1, entry);
  }
  await run(1);
  const due = await stores.attempts.takeDue(tenant, 10, 60_000);
  // With the line that is settled: by what it holds its queue knows it again.
  expect(
    due.find(({ entry }) => entry === bundle)?.others.map((other) => other.deliveryId),
  ).toEqual([2, 3].map((line) => firstDelivery(id, line)));
  await stores.jobs.confirmDeliveries(
    tenant,
    due.map(({ entry }) => entry),
  );
  expect(await stores.redis.zcard(of.outbox)).toBe(0);
});

test('lines of two batches that are settled at the same time are counted in their own, once', async () => {
  const first = await begun(3);
  await batches.create('batch_2', newBatch(), null);
  const second = (await store.take(tenant, 'batch_2', 'worker_1')) as Conducting;
  await store.begin(second, 'file-1', { total: 2, model: 'm', errors: [], errorCount: 0 });
  await feed(first, 0, 3);
  await store.feed(second, place(0), place(2), singly(lines(0, 2)), 8);
  const of = stores.keys.tenant(tenant);
  const ids = [1, 2, 3].map((line) => lineId(id, line));
  ids.push(...[1, 2].map((line) => lineId('batch_2', line)));
  expect(await stores.redis.zcard(of.outbox)).toBe(5);
  expect(await stores.redis.zcard(of.expiring)).toBe(5);
  const begins = await Promise.all(
    ids.map(async (job, at) => stores.attempts.begin(tenant, job, 1, `same-${at}`, 'worker_1')),
  );
  const response = { statusCode: 200, requestId: 'r', body: '{"a":1}' };
  const settled = { status: 'completed' as const, response, error: null, usage, costUsd: null };
  const replies = await Promise.all(
    begins.flatMap((begin, at) => {
      if (begin.kind !== 'started') throw new Error(begin.kind);
      const settle = async () =>
        stores.attempts.settle(begin.claim, at === 1 ? { ...settled, status: 'failed' } : settled);
      // One of them twice in the same call.
      return at === 0 ? [settle(), settle()] : [settle()];
    }),
  );
  expect(replies).toEqual(['settled', 'lost', 'settled', 'settled', 'settled', 'settled']);
  expect(await countsOf()).toEqual({ total: 3, completed: 2, failed: 1 });
  expect((await batches.get(tenant, 'batch_2'))?.counts).toEqual({
    total: 2,
    completed: 2,
    failed: 0,
  });
  expect(await store.window(first)).toEqual([]);
  expect(await store.window(second)).toEqual([]);
  expect(await stores.redis.zcard(of.expiring)).toBe(0);
  expect((await store.results(first, 10)).map(({ line }) => line)).toEqual([1, 2, 3]);
});

describe('creating', () => {
  test('holds the input file, and is listed newest first', async () => {
    await putFile();
    const made = await batches.create(id, newBatch(), null);
    expect(made).toMatchObject({
      kind: 'created',
      batch: { id, status: 'validating', metadata: { run: 'nightly' }, counts: { total: 0 } },
    });
    expect(await uses()).toBe(1);
    await batches.create('batch_2', newBatch(), null);
    const page = await batches.list(tenant, { limit: 1, after: null });
    expect(page?.batches.map((batch) => batch.id)).toEqual(['batch_2']);
    expect(page?.hasMore).toBe(true);
    const rest = await batches.list(tenant, { limit: 5, after: 'batch_2' });
    expect(rest?.batches.map((batch) => batch.id)).toEqual([id]);
    expect(await batches.list(tenant, { limit: 5, after: 'batch_9' })).toBeNull();
  });

  test('an idempotency key stands for one batch', async () => {
    await putFile();
    const key = { key: 'k', contentHash: 'one' };
    expect(await batches.recall(tenant, key)).toBeNull();
    expect((await batches.create(id, newBatch(), key)).kind).toBe('created');
    expect(await batches.create('batch_2', newBatch(), key)).toMatchObject({
      kind: 'replayed',
      batch: { id },
    });
    const other = await batches.create('batch_3', newBatch(), { key: 'k', contentHash: 'two' });
    expect(other).toEqual({ kind: 'conflict', id });
    expect(await batches.recall(tenant, key)).toMatchObject({ kind: 'replayed', batch: { id } });
    expect(await batches.recall(tenant, { key: 'k', contentHash: 'two' })).toEqual(other);
    expect(await uses()).toBe(1);
  });

  test('without its input there is none', async () => {
    expect((await batches.create(id, newBatch(), null)).kind).toBe('no_input');
    expect(await batches.get(tenant, id)).toBeNull();
  });
});

describe('conducting', () => {
  test('one at a time; the next has a higher epoch, and what the first still writes changes nothing', async () => {
    const first = await begun(10);
    expect(await store.take(tenant, id, 'worker_2')).toBeNull();
    expect(await store.take(tenant, id, 'worker_1')).toEqual(first);
    // Its hold ran out.
    await stores.redis.hset(stores.keys.tenant(tenant).batch(id), 'held_until', '1');
    const second = await store.take(tenant, id, 'worker_2');
    expect(Number(second?.epoch)).toBeGreaterThan(Number(first.epoch));
    expect(await feed(first, 0, 2)).toBe(false);
    expect(await store.skip(first, place(0), place(1), 'expired', lines(0, 1))).toBe(false);
    expect(await store.commit(first, '1-1', [], [], { input_tokens: 5 })).toBe(false);
    const files = { output: null, error: null, expireAfterMs: null };
    expect(await store.finish(first, 'file-1', 'completed', files)).toBe('lost');
    expect(await batches.get(tenant, id)).toMatchObject({
      status: 'in_progress',
      usage: { inputTokens: 0 },
    });
  });

  test('lines are fed once, from the place where the batch stands', async () => {
    const conducting = await begun(4);
    expect(await feed(conducting, 0, 2)).toBe(true);
    expect(await feed(conducting, 0, 2)).toBe(false);
    expect(await feed(conducting, 2, 4)).toBe(true);
    expect((await store.read(conducting))?.place).toEqual(place(4));
    expect((await store.window(conducting)).toSorted()).toEqual(
      [1, 2, 3, 4].map((line) => lineId(id, line)),
    );
    // They are nobody's single jobs.
    expect(await stores.jobs.counts(tenant)).toEqual({});
    expect(await stores.redis.zcard(stores.keys.tenant(tenant).jobs)).toBe(0);
  });

  test('a result is counted once, handed over once, and leaves no record', async () => {
    const conducting = await begun(3);
    await feed(conducting, 0, 3);
    expect(await run(1)).toBe('settled');
    expect(await run(2, 'failed')).toBe('settled');
    expect(await countsOf()).toEqual({ total: 3, completed: 1, failed: 1 });
    // A line that comes to life again, as a frozen process would bring it, changes nothing.
    await feed(conducting, 3, 3);
    const of = stores.keys.tenant(tenant);
    await stores.redis.hset(of.job(lineId(id, 1)), {
      ...{ v: 1, id: lineId(id, 1), tenant, status: 'queued', delivery: 1, generation: 7 },
      ...{ attempts: 0, rescues: 0, calls: 0, seq: 1, events: '', body: '{}', max_attempts: 8 },
      ...{ endpoint: '/v1/chat/completions', created_at: 1, priority: 'bulk' },
      ...{ batch: of.batch(id), line: 1, custom_id: 'c1' },
    });
    await run(1, 'failed');
    expect(await countsOf()).toEqual({ total: 3, completed: 1, failed: 1 });
    const results = await store.results(conducting, 10);
    expect(results.map(({ customId, status }) => [customId, status])).toEqual([
      ['c1', 'completed'],
      ['c2', 'failed'],
    ]);
    expect(results[0]).toMatchObject({ usage, response: { statusCode: 200, body: '{"a":1}' } });
    expect(await stores.redis.exists(of.job(lineId(id, 1)))).toBe(0);
    expect(await store.window(conducting)).toEqual([lineId(id, 3)]);
  });

  test('what is committed is forgotten and added up, once', async () => {
    const conducting = await begun(2);
    await feed(conducting, 0, 2);
    await run(1);
    await run(2);
    const [first, second] = await store.results(conducting, 10);
    const segment = { name: `${id}/output-1`, bytes: 10, lines: 1 };
    // Twice, as the client library sends it when the answer was lost.
    for (const _time of [1, 2]) {
      expect(
        await store.commit(conducting, first!.streamId, [segment], [], { input_tokens: 3 }),
      ).toBe(true);
    }
    expect((await store.results(conducting, 10)).map(({ line }) => line)).toEqual([second!.line]);
    expect(await batches.get(tenant, id)).toMatchObject({
      output: [segment],
      usage: { inputTokens: 3 },
    });
    // With a result on its way it is not over.
    const files = { output: null, error: null, expireAfterMs: null };
    expect(await store.finish(conducting, 'file-1', 'completed', files)).toBe('unfinished');
    await store.commit(conducting, second!.streamId, [segment], [], { input_tokens: 3 });
    const output = { id: 'file-out', filename: 'o.jsonl', segments: [segment] };
    const withOutput = { ...files, output, expireAfterMs: 3_600_000 };
    const reply = await store.finish(conducting, 'file-1', 'completed', withOutput);
    expect(reply).toBe('finished');
    expect(await batches.get(tenant, id)).toMatchObject({
      status: 'completed',
      outputFileId: 'file-out',
      errorFileId: null,
      usage: { inputTokens: 6 },
    });
    expect(await uses()).toBe(0);
    expect(await store.open(tenant)).toEqual([]);
    const file = await stores.redis.hgetall(stores.keys.tenant(tenant).file('file-out'));
    expect(file).toMatchObject({ purpose: 'batch_output', bytes: '10', uses: '0' });
    const expires = await stores.redis.zscore(stores.keys.tenant(tenant).expiringFiles, 'file-out');
    expect(Number(expires)).toBe(Number(file['expires_at']));
    // Sent again after a lost answer.
    expect(await store.finish(conducting, 'file-1', 'completed', files)).toBe('finished');
    expect(await uses()).toBe(0);
  });

  test('a commit with a damaged argument changes nothing', async () => {
    const conducting = await begun(1);
    await feed(conducting, 0, 1);
    await run(1);
    const [result] = await store.results(conducting, 10);
    const of = stores.keys.tenant(tenant);
    const keys = [of.batch(id), of.batchResults(id), of.looseBlobs];
    const good = [conducting.epoch, result!.streamId, '[]', '[]', 1, 'blob-1', 'input_tokens', 3];
    const before = [await stores.redis.hgetall(keys[0]!), await stores.redis.xlen(keys[1]!)];
    const odd = fc.oneof(
      fc.double({ noInteger: true }).map(String),
      fc.constantFrom('', '-1', 'x', 'nan', 'inf', '1e300', '9007199254740992', '{', '3.5'),
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(1, 2, 3, 4, 7), odd, async (at, bad) => {
        await expect(stores.run('commit-results', keys, good.with(at, bad))).rejects.toThrow(
          'commit-results',
        );
      }),
      { numRuns: 60 },
    );
    await expect(stores.run('commit-results', keys, good.slice(0, -1))).rejects.toThrow('missing');
    await expect(stores.run('commit-results', keys, good.with(4, 9))).rejects.toThrow('missing');
    expect([await stores.redis.hgetall(keys[0]!), await stores.redis.xlen(keys[1]!)]).toEqual(
      before,
    );
    expect(await stores.redis.zscore(keys[2]!, 'blob blob-1')).toBeNull();
    expect(await stores.run('commit-results', keys, good)).toEqual(['committed']);
  });

  test('a sum that would grow beyond what is exact stays there', async () => {
    const conducting = await begun(2);
    await feed(conducting, 0, 2);
    await run(1);
    await run(2);
    const most = Number.MAX_SAFE_INTEGER;
    for (const { streamId } of await store.results(conducting, 10)) {
      const amounts = { input_tokens: most, cost_nanodollars: most };
      expect(await store.commit(conducting, streamId, [], [], amounts)).toBe(true);
    }
    expect(await batches.get(tenant, id)).toMatchObject({ usage: { inputTokens: most } });
  });

  test('an input that is wrong fails the batch and lets its file go', async () => {
    await putFile();
    await batches.create(id, newBatch(), null);
    const conducting = await store.take(tenant, id, 'worker_1');
    const errors = [{ code: 'invalid_json_line' as const, message: 'm', param: null, line: 2 }];
    const input = { total: 3, model: null, errors, errorCount: 1500 };
    // Twice, as after a lost answer.
    expect(await store.begin(conducting!, 'file-1', input)).toBe('failed');
    expect(await store.begin(conducting!, 'file-1', input)).toBe('failed');
    expect(await batches.get(tenant, id)).toMatchObject({
      status: 'failed',
      errors,
      errorCount: 1500,
      counts: { total: 3, completed: 0, failed: 0 },
    });
    expect(await uses()).toBe(0);
  });
});

describe('cancelling and pausing', () => {
  test('a line that is taken after the cancel is not called', async () => {
    const conducting = await begun(2);
    await feed(conducting, 0, 2);
    expect(await batches.cancel(tenant, id)).toMatchObject({
      kind: 'cancelling',
      batch: { status: 'cancelling' },
    });
    expect(await beginLine(1)).toEqual({ kind: 'settled' });
    const [result] = await store.results(conducting, 10);
    expect(result).toMatchObject({ line: 1, status: 'cancelled', response: null });
    expect(await feed(conducting, 2, 2)).toBe(false);
    expect((await batches.cancel(tenant, id)).kind).toBe('cancelling');
    expect(await batches.cancel(tenant, 'batch_9')).toEqual({ kind: 'missing' });
  });

  test('a line of a paused batch comes back later, under another delivery', async () => {
    const conducting = await begun(1);
    await feed(conducting, 0, 1);
    expect(await batches.setPaused(tenant, id, true)).toMatchObject({ paused: true });
    expect(await beginLine(1)).toEqual({ kind: 'stale' });
    const of = stores.keys.tenant(tenant);
    expect(await stores.redis.zscore(of.outbox, `${lineId(id, 1)}.2`)).not.toBeNull();
    await batches.setPaused(tenant, id, false);
    expect((await beginLine(1)).kind).toBe('started');
    expect(await batches.setPaused(tenant, 'batch_9', true)).toBeNull();
  });

  test('outside of its hours a batch calls nothing, whoever resumes it', async () => {
    const conducting = await begun(1);
    await feed(conducting, 0, 1);
    await store.rest(conducting, true);
    await batches.setPaused(tenant, id, false);
    expect((await store.read(conducting))?.isResting).toBe(true);
    expect(await beginLine(1)).toEqual({ kind: 'stale' });
    await store.rest(conducting, false);
    expect((await beginLine(1)).kind).toBe('started');
  });

  test('lines that the end of the window kept from their answer are counted', async () => {
    const conducting = await begun(3);
    await feed(conducting, 0, 1);
    await stores.redis.hset(stores.keys.tenant(tenant).job(lineId(id, 1)), 'expires_at', '1');
    expect(await beginLine(1)).toEqual({ kind: 'expired' });
    await store.finalize(conducting);
    expect(await store.skip(conducting, place(1), place(3), 'expired', lines(1, 3))).toBe(true);
    expect((await store.read(conducting))?.expiredLines).toBe(3);
    expect(await countsOf()).toEqual({ total: 3, completed: 0, failed: 3 });
  });

  test('lines that were never fed get their result by being skipped', async () => {
    const conducting = await begun(3);
    await feed(conducting, 0, 1);
    await batches.cancel(tenant, id);
    expect(await store.skip(conducting, place(1), place(3), 'cancelled', lines(1, 3))).toBe(true);
    expect(await store.skip(conducting, place(1), place(3), 'cancelled', lines(1, 3))).toBe(false);
    expect(await countsOf()).toEqual({ total: 3, completed: 0, failed: 2 });
    expect((await store.read(conducting))?.expiredLines).toBe(0);
  });
});

describe('open lines', () => {
  const lane = 'lane_0123456789abcdef';

  test('show their lanes, which are in progress and which wait for a retry', async () => {
    const conducting = await begun(6);
    expect(await batches.openLines(tenant, id)).toEqual({ isMoving: false, groups: [] });
    await feed(conducting, 0, 6);
    await beginLine(1);
    const started = await beginLine(2);
    if (started.kind !== 'started') throw new Error(started.kind);
    await stores.attempts.release(started.claim, {
      ...{ reason: 'backoff', message: 'Attempt 1 of 8 failed.', delayMs: 60_000, charged: true },
      detail: 'provider_error',
    });
    const { isMoving, groups } = await batches.openLines(tenant, id);
    expect(isMoving).toBe(false);
    expect(groups.toSorted((a, b) => a.count - b.count || a.state.localeCompare(b.state))).toEqual([
      {
        ...{ laneId: lane, state: 'backoff', count: 1 },
        ...{ retryAtMs: expect.any(Number), message: 'Attempt 1 of 8 failed.' },
      },
      { laneId: lane, state: 'called', count: 1, retryAtMs: null, message: '' },
      { laneId: lane, state: 'queued', count: 4, retryAtMs: null, message: '' },
    ]);
  });

  test('are not read while lines settle, even if their results are already in a file', async () => {
    const conducting = await begun(3);
    await feed(conducting, 0, 3);
    await run(1);
    expect(await batches.openLines(tenant, id)).toEqual({ isMoving: true, groups: [] });
    const [result] = await store.results(conducting, 10);
    await store.commit(conducting, result?.streamId ?? '', [], [], {});
    expect(await batches.openLines(tenant, id)).toMatchObject({ isMoving: true });
    // As if it had been long ago.
    const stream = stores.keys.tenant(tenant).batchResults(id);
    await stores.redis.del(stream);
    await stores.redis.xadd(stream, '1000-1', 'line', '1');
    expect(await batches.openLines(tenant, id)).toMatchObject({
      isMoving: false,
      groups: [{ laneId: lane, count: 2 }],
    });
  });

  test('belong to open batches, which are listed', async () => {
    await begun(1);
    expect(await batches.open(tenant)).toEqual([id]);
    expect(await batches.open(newTenant())).toEqual([]);
  });
});

test('the record shows what holds up the conductor until that ends, and only the conductor can write it', async () => {
  const conducting = await begun(1);
  const heldUp = { reason: 'storage', message: 'The blob store is full.' } as const;
  const read = async () => (await batches.get(tenant, id))?.heldUp;
  expect(await read()).toBeNull();
  await store.holdUp({ ...conducting, epoch: '99' }, heldUp);
  expect(await read()).toBeNull();
  await store.holdUp(conducting, heldUp);
  expect(await read()).toEqual(heldUp);
  await store.holdUp({ ...conducting, epoch: '99' }, null);
  expect(await read()).toEqual(heldUp);
  await store.holdUp(conducting, null);
  expect(await read()).toBeNull();
});
