import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import type { Priority } from '../../src/job/index.ts';
import type { CallStamp, LimitNews, PaceTurn } from '../../src/redis/index.ts';
import { createBudgetModel } from '../support/budget-model.ts';
import { openTimedBudget, turnOf, type TimedBudget } from '../support/timed-budget.ts';

let budget: TimedBudget;
beforeAll(async () => {
  budget = await openTimedBudget(inject('redisUrl'));
});
beforeEach(() => budget.renew());
afterAll(async () => {
  await budget.close();
});

interface Held {
  dateMs: number;
  tokens: number;
  stamp: CallStamp;
}

const wanted = fc.array(
  fc.tuple(fc.constantFrom<Priority>('bulk', 'interactive'), fc.integer({ min: 1, max: 300 })),
  { maxLength: 8 },
);
const limits = fc.record(
  {
    requests: fc.constantFrom(3, 60, 600, 6000),
    tokens: fc.constantFrom(500, 20_000, 400_000),
  },
  { requiredKeys: [] },
);
const windowsMs = fc.constantFrom(1000, 10_000, 60_000);
const steps = fc.array(
  fc.record({
    passMs: fc.oneof(
      { weight: 6, arbitrary: fc.integer({ min: 0, max: 700 }) },
      { weight: 1, arbitrary: fc.integer({ min: 9000, max: 30_000 }) },
    ),
    worker: fc.constantFrom('a', 'b', 'c'),
    wanted,
    returns: fc.integer({ min: 0, max: 3 }),
    exceeded: fc.constantFrom(0, 0, 0, 50),
    news: fc.option(
      fc.record({
        which: fc.nat(),
        left: fc.double({ min: 0, max: 1, noNaN: true }),
        limit: fc.constantFrom(1, 1, 1, 2),
        windowMs: windowsMs,
      }),
    ),
  }),
  { minLength: 1, maxLength: 25 },
);

/** What a worker makes of the headers of a call that it made with this reservation. */
function newsOf(
  { stamp, tokens, dateMs }: Held,
  nowMs: number,
  { left, limit, windowMs }: { left: number; limit: number; windowMs: number },
): NonNullable<PaceTurn['news']> {
  const told = (units: number): LimitNews => ({
    limit: units,
    rate: units / windowMs,
    capacity: units,
    remaining: Math.floor(left * units),
  });
  return {
    ...stamp,
    guard: { requests: stamp.guard.requests + 1, tokens: stamp.guard.tokens + tokens },
    sent_at: Math.min(nowMs, dateMs),
    requests: told(300 * limit),
    tokens: told(20_000 * limit),
  };
}

describe('turns at the budget', () => {
  test('grant, deny and believe what a model does that works it all out from the log', async () => {
    await fc.assert(
      fc.asyncProperty(limits, steps, async (configured, many) => {
        fc.pre(Object.keys(configured).length > 0);
        budget.renew();
        const model = createBudgetModel();
        const held: Held[] = [];
        let epoch = '';
        for (const step of many) {
          budget.pass(step.passMs);
          const nowMs = budget.now();
          const back = step.returns > 0 ? held.splice(-step.returns) : [];
          const called =
            held.length === 0 ? undefined : held[(step.news?.which ?? 0) % held.length];
          const turn = turnOf(step.worker, {
            limits: configured,
            wanted: step.wanted,
            exceeded: step.exceeded,
            ...(back.length > 0 && {
              returned: {
                epoch,
                requests: back.length,
                tokens: back.reduce((sum, { tokens }) => sum + tokens, 0),
              },
            }),
            ...(step.news !== null &&
              called !== undefined && { news: newsOf(called, nowMs, step.news) }),
          });
          const reply = await budget.pace(turn);
          epoch = reply.epoch;
          const expected = model.take(turn, nowMs, epoch);
          expect(reply.grants.map((grant) => grant !== null)).toEqual(
            expected.grants.map((grant) => grant !== null),
          );
          for (const [at, grant] of reply.grants.entries()) {
            const other = expected.grants[at];
            if (grant === null || other == null) continue;
            expect(Math.abs(grant.dateMs - other.dateMs)).toBeLessThanOrEqual(1.5);
            expect(grant.stamp).toEqual({ ...other.stamp, epoch });
            const tokens = step.wanted[at]?.[1] ?? 0;
            held.push({ dateMs: grant.dateMs, tokens, stamp: grant.stamp });
          }
          expect(Object.keys(reply.comesAgainMs).toSorted()).toEqual(
            Object.keys(expected.deniedDateMs).toSorted(),
          );
          for (const comesMs of Object.values(reply.comesAgainMs)) {
            expect(comesMs).toBeGreaterThanOrEqual(nowMs + 10);
          }
          const believed = await budget.read();
          for (const name of ['requests', 'tokens'] as const) {
            const other = model.bucketOf(name);
            expect(believed?.[name] === undefined).toBe(other === null);
            if (other === null) continue;
            const { level, rate, capacity } = believed![name]!;
            expect(Math.abs(level - other.level)).toBeLessThanOrEqual(1e-6 * (1 + capacity));
            expect(rate).toBeCloseTo(other.rate, 9);
            expect(capacity).toBeCloseTo(other.capacity, 9);
          }
          keepsFloors(step.wanted, reply.grants, model, nowMs);
        }
      }),
      { numRuns: 150 },
    );
  });

  /** At its date each grant leaves the others their part. */
  function keepsFloors(
    asked: readonly [Priority, number][],
    grants: readonly ({ dateMs: number } | null)[],
    model: ReturnType<typeof createBudgetModel>,
    nowMs: number,
  ): void {
    // What is wished in vain may be larger, and the floor with it from then on.
    if (grants.includes(null)) return;
    for (const name of ['requests', 'tokens'] as const) {
      const bucket = model.bucketOf(name);
      const at = grants.findLastIndex((grant) => grant !== null);
      if (bucket === null || at === -1) continue;
      const [priority, tokens] = asked[at]!;
      const isInteractive = priority === 'interactive';
      const need = Math.min(name === 'requests' ? 1 : tokens, bucket.capacity);
      const floor = Math.min(model.floor(name, isInteractive), bucket.capacity - need);
      const level = bucket.level + bucket.rate * (grants[at]!.dateMs - nowMs);
      // Redis writes a date with fourteen digits: to a tenth of a millisecond, in which this much comes in.
      const rounding = 0.05 * bucket.rate;
      expect(level).toBeGreaterThanOrEqual(floor - rounding - 1e-6 * bucket.capacity);
    }
  }
});

/** The most that was let through beyond `capacity + rate × time`, over all stretches of time. */
function excess(used: readonly { dateMs: number; need: number }[], capacity: number, rate: number) {
  const sorted = used.toSorted((a, b) => a.dateMs - b.dateMs);
  let most = -Infinity;
  for (const [from, first] of sorted.entries()) {
    let sum = 0;
    for (const { dateMs, need } of sorted.slice(from)) {
      sum += need;
      most = Math.max(most, sum - capacity - rate * (dateMs - first.dateMs));
    }
  }
  return most;
}

describe('no stretch of time has more than the bucket and its refill', () => {
  test.each([
    ['each turn sent once', 1],
    ['each turn sent twice', 2],
  ])('%s, whatever comes back unused', async (_what, times) => {
    await fc.assert(
      fc.asyncProperty(steps, async (many) => {
        budget.renew();
        const held: Held[] = [];
        const used: Held[] = [];
        let epoch = '';
        for (const step of many) {
          budget.pass(step.passMs);
          const back = held.splice(0, step.returns);
          used.push(...held.splice(0));
          const turn = turnOf(step.worker, {
            limits: { requests: 600, tokens: 30_000 },
            wanted: step.wanted,
            ...(back.length > 0 && {
              returned: {
                epoch,
                requests: back.length,
                tokens: back.reduce((sum, { tokens }) => sum + tokens, 0),
              },
            }),
          });
          for (let time = 0; time < times; time += 1) {
            const reply = await budget.pace(turn);
            epoch = reply.epoch;
            for (const [at, grant] of reply.grants.entries()) {
              if (grant !== null) held.push({ ...grant, tokens: step.wanted[at]![1] });
            }
          }
        }
        used.push(...held);
        const requests = used.map(({ dateMs }) => ({ dateMs, need: 1 }));
        const tokens = used.map(({ dateMs, tokens: need }) => ({ dateMs, need }));
        expect(excess(requests, 600, 0.01)).toBeLessThanOrEqual(1e-3);
        expect(excess(tokens, 30_000, 0.5)).toBeLessThanOrEqual(1e-3);
      }),
      { numRuns: 60 },
    );
  });

  test('an answer refills nothing that the configuration holds down', async () => {
    const used: { dateMs: number; need: number }[] = [];
    let last: Held | undefined;
    for (let at = 0; at < 200; at += 1) {
      budget.pass(200);
      const news = last && newsOf(last, budget.now(), { left: 0.99, limit: 20, windowMs: 60_000 });
      const reply = await budget.pace(
        turnOf('a', {
          limits: { requests: 60 },
          wanted: Array.from({ length: 20 }, () => ['bulk', 1] as [Priority, number]),
          ...(news && { news }),
        }),
      );
      for (const grant of reply.grants) {
        if (grant === null) continue;
        last = { ...grant, tokens: 1 };
        used.push({ dateMs: grant.dateMs, need: 1 });
      }
    }
    expect(used.length).toBeGreaterThan(30);
    expect(excess(used, 60, 60 / 60_000)).toBeLessThanOrEqual(1e-3);
  });

  test('a limit of the configuration leaves what the provider lets through at once', async () => {
    const reserved = await budget.pace(
      turnOf('a', { limits: { requests: 400 }, wanted: [['bulk', 1]] }),
    );
    const stamp = reserved.grants[0]!.stamp;
    const requests = { limit: 500, rate: 500 / 60_000, capacity: 8, remaining: 7 };
    const news = { ...stamp, sent_at: budget.now(), requests };
    await budget.pace(turnOf('a', { limits: { requests: 400 }, news }));
    await budget.pace(turnOf('a', { limits: { requests: 400 } }));
    expect((await budget.read())?.requests).toMatchObject({
      rate: expect.closeTo(400 / 60_000, 9),
      capacity: 8,
    });
  });
});

describe('a call that needs most of the limit', () => {
  test.each([20_000, 50_000])(
    'of %d tokens has its turn, however long nobody else calls',
    async (tokens) => {
      const limits = { tokens: 30_000 };
      await budget.pace(turnOf('a', { limits, wanted: [['bulk', 100]] }));
      budget.pass(60_000);
      const askedAtMs = budget.now();
      let granted: number | undefined;
      while (granted === undefined && budget.now() < askedAtMs + 120_000) {
        const reply = await budget.pace(turnOf('a', { limits, wanted: [['bulk', tokens]] }));
        granted = reply.grants[0]?.dateMs;
        budget.pass(Math.max(10, (reply.comesAgainMs.bulk ?? budget.now()) - budget.now()));
      }
      expect(granted).toBeLessThanOrEqual(askedAtMs + 60_000);
    },
  );
});

describe('news', () => {
  const learn = async (wish: [Priority, number][] = [['bulk', 1]]): Promise<Held[]> => {
    const { grants } = await budget.pace(turnOf('a', { limits: { requests: 300 }, wanted: wish }));
    return grants.flatMap((grant, at) =>
      grant === null ? [] : [{ ...grant, tokens: wish[at]![1] }],
    );
  };
  const level = async (): Promise<number> => (await budget.read())!.requests!.level;
  const full = { left: 1, limit: 1, windowMs: 60_000 };

  test('that is older than what was applied changes nothing', async () => {
    const [first] = await learn();
    budget.pass(1000);
    const [second] = await learn();
    budget.pass(100);
    await budget.pace(turnOf('a', { news: newsOf(second!, budget.now(), { ...full, left: 0.5 }) }));
    const before = await budget.read();
    await budget.pace(turnOf('b', { news: newsOf(first!, budget.now(), full) }));
    expect((await budget.read())?.requests).toEqual(before?.requests);
    // Nor does it a second time.
    await budget.pace(turnOf('b', { news: newsOf(second!, budget.now(), { ...full, left: 0.9 }) }));
    expect((await budget.read())?.requests).toEqual(before?.requests);
  });

  test('of an epoch that is gone tells the limit, and never a level above the floor and a little', async () => {
    const [old] = await learn();
    expect(await budget.flush()).toBe(1);
    for (let at = 0; at < 20; at += 1) {
      const { cold, epoch } = await budget.pace(
        turnOf('b', { news: newsOf(old!, budget.now(), full), wanted: [['bulk', 1]] }),
      );
      expect(cold).toBe(false);
      expect(epoch).not.toBe(old!.stamp.epoch);
      expect(await level()).toBeLessThanOrEqual(300 * 0.07 - 1);
    }
    // Nor does one that was told another limit meanwhile, nor where the configuration holds it down.
    for (let at = 0; at < 20; at += 1) {
      const before = await level();
      const news = newsOf(old!, budget.now(), { ...full, limit: 1 + (at % 2) });
      const limits_ = at < 10 ? {} : { requests: 100 };
      await budget.pace(turnOf('b', { news, limits: limits_ }));
      expect(await level()).toBeLessThanOrEqual(before);
    }
  });

  test('gives back what a worker had reserved that is gone', async () => {
    const lost = await learn(Array.from({ length: 10 }, () => ['bulk', 1]));
    expect(lost.length).toBeGreaterThan(0);
    budget.pass(1000);
    const [call] = await learn();
    budget.pass(10);
    await budget.pace(turnOf('b', { news: newsOf(call!, budget.now(), full) }));
    expect(await level()).toBe(300);
  });
});

test('a lane that nobody knows begins with one call, then ten a second, after one second thirty', async () => {
  const start = budget.now();
  const dates: number[] = [];
  while (dates.length < 40) {
    const reply = await budget.pace(turnOf('a', { wanted: [['bulk', 1]] }));
    expect(reply).toMatchObject({ cold: true, limited: true });
    const [grant] = reply.grants;
    if (grant) dates.push(grant.dateMs - start);
    else budget.pass(10);
  }
  expect(dates.slice(0, 3)).toEqual([0, 250, 350]);
  for (const [at, date] of dates.entries()) {
    const soonest = at <= 10 ? 150 + at * 100 : 1150 + (at - 10) * 33;
    expect(date).toBeGreaterThanOrEqual(at === 0 ? 0 : soonest);
  }
  expect(dates.at(-1)).toBeLessThan(2180);
  // The key goes: cold again, whatever was counted before.
  await budget.flush();
  const again = await budget.pace(
    turnOf('a', {
      wanted: [
        ['bulk', 1],
        ['bulk', 1],
      ],
    }),
  );
  expect(again.cold).toBe(true);
  expect(again.grants.map((grant) => grant && grant.dateMs - budget.now())).toEqual([0, null]);
  const heard = await budget.pace(turnOf('a', { answered: 1 }));
  expect(heard).toMatchObject({ cold: false, limited: false, concurrency: 64 });
});

test('nothing is granted before the end of a cool-down', async () => {
  await budget.cool(budget.now() + 400);
  const reply = await budget.pace(
    turnOf('a', {
      limits: { requests: 6000 },
      wanted: [
        ['bulk', 1],
        ['interactive', 1],
      ],
    }),
  );
  for (const grant of reply.grants)
    expect(grant!.dateMs).toBeGreaterThanOrEqual(budget.now() + 400);
});

test('a clock that was set back holds nothing up: the lane begins anew', async () => {
  const asking = () => turnOf('a', { limits: { requests: 600 }, wanted: [['bulk', 1]] });
  await budget.pace(asking());
  budget.pass(-7_200_000);
  const { grants } = await budget.pace(asking());
  expect(grants[0]?.dateMs).toBeLessThanOrEqual(budget.now() + 500);
  budget.pass(1000);
  expect((await budget.pace(asking())).grants[0]).not.toBeNull();
});

describe('the shares of a concurrency', () => {
  const crowd = fc.array(
    fc.record({
      inFlight: fc.integer({ min: 0, max: 200 }),
      waiting: fc.integer({ min: 0, max: 200 }),
    }),
    { minLength: 1, maxLength: 12 },
  );
  const decided = (limit: number) => ({ limit, state: '{}' });

  test('come to no more than the limit, and while there is enough for each, each has one', async () => {
    await fc.assert(
      fc.asyncProperty(crowd, fc.integer({ min: 8, max: 500 }), async (workers, limit) => {
        budget.renew();
        await budget.pace(turnOf('w0', { answered: 1, governor: true }));
        await budget.pace(turnOf('w0', { governor: true, concurrency: decided(limit) }));
        let shares: number[] = [];
        // The first round makes them known to each other.
        for (let round = 0; round < 2; round += 1) {
          shares = [];
          for (const [at, { inFlight, waiting }] of workers.entries()) {
            const reply = await budget.pace(turnOf(`w${at}`, { in_flight: inFlight, waiting }));
            shares.push(reply.share!);
          }
        }
        const sum = shares.reduce((total, share) => total + share, 0);
        if (limit >= workers.length) {
          expect(Math.min(...shares)).toBeGreaterThanOrEqual(1);
          expect(sum).toBeLessThanOrEqual(limit);
        }
      }),
      { numRuns: 50 },
    );
  });

  test('where there is not enough for each: nobody starves', async () => {
    await budget.pace(turnOf('w0', { answered: 1, governor: true }));
    await budget.pace(turnOf('w0', { governor: true, concurrency: decided(8) }));
    const had = Array.from({ length: 20 }, () => 0);
    for (let round = 0; round < 40; round += 1) {
      budget.pass(500);
      for (const at of had.keys()) {
        const { share } = await budget.pace(turnOf(`w${at}`, { waiting: 2 }));
        had[at]! += share!;
      }
    }
    expect(Math.min(...had)).toBeGreaterThan(0);
  });

  test('a worker that is gone has none after five seconds, one that leaves none at once', async () => {
    await budget.pace(turnOf('a', { answered: 1 }));
    await budget.pace(turnOf('b'));
    await budget.pace(turnOf('c'));
    expect((await budget.pace(turnOf('a'))).workers).toBe(3);
    await budget.pace(turnOf('c', { leaving: true }));
    expect((await budget.pace(turnOf('a'))).workers).toBe(2);
    budget.pass(5001);
    expect(await budget.pace(turnOf('a'))).toMatchObject({ workers: 1, share: 64 });
  });
});
