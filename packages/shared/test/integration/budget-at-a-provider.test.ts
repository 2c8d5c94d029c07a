import fc from 'fast-check';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { seeded } from '../../../../test/support/random.ts';
import type { Priority } from '../../src/job/index.ts';
import type { CallStamp, PaceTurn } from '../../src/redis/index.ts';
import { openTimedBudget, turnOf, type TimedBudget } from '../support/timed-budget.ts';

let budget: TimedBudget;
beforeAll(async () => {
  budget = await openTimedBudget(inject('redisUrl'));
});
afterAll(async () => {
  await budget.close();
});

const STEP_MS = 10;
const TURN_MS = 200;
const RUN_MS = 120_000;
const WARM_UP_MS = 20_000;

interface Setting {
  seed: number;
  workers: number;
  perMinute: number;
  outsiders: number;
  startLevel: number;
  latencyMs: number;
}

interface Call {
  worker: number;
  tokens: number;
  stamp: CallStamp;
  dateMs: number;
}

/**
 * Workers that always have more to call, against a provider that charges at arrival and tells what is left: a bucket of
 * a minute that refills all the time, of which others take their part. All of it in virtual time.
 */
async function run({ seed, workers, perMinute, outsiders, startLevel, latencyMs }: Setting) {
  budget.renew();
  const random = seeded(seed);
  const rate = perMinute / 60_000;
  const bucket = { level: startLevel * perMinute, atMs: budget.now() };
  const levelAt = (nowMs: number): number => {
    const refill = rate * (1 - outsiders) * (nowMs - bucket.atMs);
    bucket.level = Math.min(perMinute, bucket.level + refill);
    bucket.atMs = nowMs;
    return bucket.level;
  };
  const fleet = Array.from({ length: workers }, (_, at) => ({
    id: `w${at}`,
    turnAtMs: budget.now() + at * 13,
    inFlight: 0,
    called: 0,
    answered: 0,
    waiting: 0,
    news: undefined as PaceTurn['news'],
  }));
  const startMs = budget.now();
  let pending: Call[] = [];
  let answers: { call: Call; atMs: number; sentMs: number; remaining: number }[] = [];
  let coolUntilMs = 0;
  let calls = 0;
  let refused = 0;
  let admitted = 0;

  for (; budget.now() < startMs + RUN_MS; budget.pass(STEP_MS)) {
    const nowMs = budget.now();
    for (const call of pending.filter(({ dateMs }) => dateMs <= nowMs)) {
      const worker = fleet[call.worker]!;
      worker.inFlight += 1;
      worker.called += 1;
      worker.waiting -= 1;
      calls += 1;
      const isIn = levelAt(nowMs) >= 1;
      if (isIn) {
        bucket.level -= 1;
        if (nowMs >= startMs + WARM_UP_MS) admitted += 1;
      } else {
        refused += 1;
        coolUntilMs = Math.max(coolUntilMs, nowMs + (1 - bucket.level) / rate);
        await budget.cool(Math.ceil(coolUntilMs));
      }
      const took = isIn ? latencyMs * (0.5 + random()) : 30;
      answers.push({
        call,
        atMs: nowMs + took,
        sentMs: nowMs,
        remaining: Math.floor(Math.max(0, bucket.level)),
      });
    }
    pending = pending.filter(({ dateMs }) => dateMs > nowMs);
    for (const { call, sentMs, remaining } of answers.filter(({ atMs }) => atMs <= nowMs)) {
      const worker = fleet[call.worker]!;
      worker.inFlight -= 1;
      worker.answered += 1;
      if (worker.news !== undefined && worker.news.seq > call.stamp.seq) continue;
      worker.news = {
        ...call.stamp,
        guard: { requests: call.stamp.guard.requests + 1, tokens: call.stamp.guard.tokens + 1 },
        sent_at: sentMs,
        requests: { limit: perMinute, rate, capacity: perMinute, remaining },
      };
    }
    answers = answers.filter(({ atMs }) => atMs > nowMs);
    for (const [at, worker] of fleet.entries()) {
      if (worker.turnAtMs > nowMs) continue;
      worker.turnAtMs = nowMs + TURN_MS;
      const room = Math.max(0, Math.ceil((rate * 600) / workers) + 2 - worker.waiting);
      const wanted = Array.from({ length: room }, () => ['bulk', 1] as [Priority, number]);
      const { called, answered, news } = worker;
      worker.called = 0;
      worker.answered = 0;
      worker.news = undefined;
      const reply = await budget.pace(
        turnOf(worker.id, {
          in_flight: worker.inFlight,
          waiting: worker.waiting,
          called,
          answered,
          wanted,
          ...(news !== undefined && { news }),
        }),
      );
      for (const grant of reply.grants) {
        if (grant === null) continue;
        // On the way to the provider calls overtake each other.
        const dateMs = Math.max(nowMs, grant.dateMs) + 30 * random();
        pending.push({ worker: at, tokens: 1, stamp: grant.stamp, dateMs });
        worker.waiting += 1;
      }
    }
  }
  // What the bucket let through beside the outsiders, from the end of the warm-up on.
  const possible = rate * (1 - outsiders) * (RUN_MS - WARM_UP_MS);
  return { refusedShare: refused / calls, utilisation: admitted / possible, calls };
}

test('a fleet uses what others leave of a limit, and is hardly ever refused', async () => {
  const settings = fc.record({
    seed: fc.nat(),
    workers: fc.integer({ min: 1, max: 4 }),
    perMinute: fc.constantFrom(1200, 3000),
    outsiders: fc.integer({ min: 0, max: 40 }).map((percent) => percent / 100),
    startLevel: fc.integer({ min: 0, max: 100 }).map((percent) => percent / 100),
    latencyMs: fc.constantFrom(200, 1000, 2000),
  });
  await fc.assert(
    fc.asyncProperty(settings, async (setting) => {
      const { refusedShare, utilisation } = await run(setting);
      expect(refusedShare).toBeLessThanOrEqual(0.005);
      expect(utilisation).toBeGreaterThanOrEqual(0.97);
    }),
    { numRuns: 6, endOnFailure: true },
  );
});
