import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { eventually } from '@nightshift/local';
import { laneOf, laneStanding } from '../../src/lane/index.ts';
import type { CallTimes } from '../../src/redis/index.ts';
import { accepted, newTenant, openStores, type Stores } from '../support/stores.ts';

let stores: Stores;
beforeAll(async () => {
  stores = await openStores(inject('redisUrl'));
});
afterAll(async () => {
  await stores.close();
});

const newLane = () => laneOf('provider', newTenant(), 'default').id;
type Kind = 'call' | 'trial' | 'known' | 'silence';
const fail = async (
  id: string,
  kind: Kind = 'call',
  more: { opensAfter?: number; lastSuccess?: CallTimes | null; random?: number } = {},
) =>
  stores.lanes.fail(id, {
    ...{ kind, message: 'the provider answered 503', opensAfter: 4, random: 0, lastSuccess: null },
    ...more,
  });
const now = async (id: string): Promise<number> => (await stores.lanes.state(id)).nowMs;
const call = (endedAtMs: number, tookMs = 100): CallTimes => ({
  ...{ endedAtMs, tookMs, sentAtMs: endedAtMs - tookMs },
});
const open = async (id: string) => {
  for (let failures = 1; failures < 4; failures += 1) await fail(id);
  return fail(id);
};
/** Moves the outage into the past by this much, and makes its next trial due. */
const lasts = async (id: string, ms: number): Promise<void> => {
  const key = stores.keys.lane(id).state;
  const at = String((await now(id)) - ms);
  await stores.redis.hset(key, { unreachable_since: at, run_since: at, trial_at: '1000' });
};

describe('opens', () => {
  test('after the given number of consecutive failures, with the time and the message', async () => {
    const id = newLane();
    const changes = await stores.listen(stores.keys.channels.lanes);
    const first = await fail(id);
    expect(first.run).toBe(1);
    expect(first.snapshot.health.isFailing).toBe(true);
    await fail(id);
    expect(laneStanding((await fail(id)).snapshot)).toEqual({ state: 'open' });
    const { snapshot, run } = await fail(id);
    expect(run).toBe(1);
    expect(laneStanding(snapshot)).toMatchObject({
      state: 'unreachable',
      message: 'the provider answered 503',
      failures: 4,
    });
    expect(snapshot.health.openedRuns).toBe(',1,');
    // The first failure, which others answer with their successes, and the opening.
    await eventually(() => changes.filter((change) => change === id).length === 2);
  });

  test('not after failures between successes', async () => {
    const id = newLane();
    for (let round = 1; round <= 10; round += 1) {
      for (let failures = 1; failures <= 3; failures += 1) {
        expect(laneStanding((await fail(id)).snapshot)).toEqual({ state: 'open' });
      }
      const snapshot = await stores.lanes.answer(id, 'success', call(await now(id)));
      expect(snapshot.health.isFailing).toBe(false);
    }
  });

  test('not after failures that came before a success which the failing process reports', async () => {
    const id = newLane();
    for (let failures = 1; failures <= 20; failures += 1) {
      const lastSuccess = call(await now(id));
      const { snapshot } = await fail(id, 'call', { lastSuccess });
      expect(laneStanding(snapshot)).toEqual({ state: 'open' });
    }
  });

  test('not after failures of a request that is known to fail', async () => {
    const id = newLane();
    for (let failures = 1; failures <= 20; failures += 1) {
      expect((await fail(id, 'known')).run).toBe(0);
    }
    expect(laneStanding(await stores.lanes.state(id))).toEqual({ state: 'open' });
  });

  test('at once on silence, unless another process had an answer', async () => {
    const heard = newLane();
    await stores.lanes.answer(heard, 'success', call(await now(heard)));
    expect(laneStanding((await fail(heard, 'silence')).snapshot).state).toBe('open');
    const silent = newLane();
    await stores.lanes.answer(silent, 'success', call((await now(silent)) - 60_000));
    expect(laneStanding((await fail(silent, 'silence')).snapshot).state).toBe('unreachable');
  });

  test('also after a refusal has ended a run', async () => {
    const id = newLane();
    for (let failures = 1; failures <= 3; failures += 1) await fail(id);
    await stores.lanes.answer(id, 'answer', call(await now(id)));
    expect((await stores.lanes.state(id)).health.succeededAtMs).toBe(0);
    expect((await open(id)).run).toBe(2);
    expect((await stores.lanes.state(id)).health.openedRuns).toBe(',2,');
  });
});

describe('trials', () => {
  test('one of many workers gets a due trial, and another one after its hold', async () => {
    const id = newLane();
    await open(id);
    expect(await stores.lanes.takeProbe(id)).toBe(false);
    await lasts(id, 1000);
    const takes = await Promise.all(
      Array.from({ length: 20 }, async () => stores.lanes.takeProbe(id, 60_000)),
    );
    expect(takes.filter(Boolean)).toHaveLength(1);
    await stores.redis.hset(stores.keys.lane(id).state, 'trial_until', '1000');
    expect(await stores.lanes.takeProbe(id)).toBe(true);
  });

  test.each([
    [10, 0, 1000],
    [1000, 0, 1000],
    [8000, 0, 8000],
    [8000, 1, 8800],
    [40_000, 0.5, 42_000],
    [3_600_000, 0, 60_000],
    [3_600_000, 1, 60_000],
  ])(
    'after %d ms of outage and with a random number of %d, the next one comes after %d ms',
    async (...given) => {
      const [lastedMs, random, distanceMs] = given;
      const id = newLane();
      await open(id);
      await lasts(id, lastedMs);
      expect(await stores.lanes.takeProbe(id)).toBe(true);
      const { snapshot } = await fail(id, 'trial', { random });
      const actual = snapshot.unreachable!.trialAtMs - snapshot.nowMs;
      expect(actual).toBeGreaterThan(distanceMs - 100);
      expect(actual).toBeLessThan(distanceMs + 100);
      expect(await stores.lanes.takeProbe(id)).toBe(false);
    },
  );

  test('there is none during an operator’s pause', async () => {
    const id = newLane();
    await open(id);
    await lasts(id, 1000);
    await stores.lanes.pauseForOperator(id);
    expect(await stores.lanes.takeProbe(id)).toBe(false);
    expect(laneStanding(await stores.lanes.resumeForOperator(id))).toEqual({ state: 'open' });
  });
});

describe('closes', () => {
  test('on any answer to a trial', async () => {
    const id = newLane();
    await open(id);
    const snapshot = await stores.lanes.answer(id, 'trial', call((await now(id)) - 1000));
    expect(laneStanding(snapshot)).toEqual({ state: 'open' });
    expect(snapshot.health).toMatchObject({ isFailing: false, openedRuns: ',1,' });
  });

  test('on an answer to a call that was sent after the outage began, not to an earlier one', async () => {
    const id = newLane();
    await open(id);
    const at = await now(id);
    const inFlight = await stores.lanes.answer(id, 'success', call(at + 1000, 5000));
    expect(laneStanding(inFlight).state).toBe('unreachable');
    const later = await stores.lanes.answer(id, 'success', call(at + 5000, 1000));
    expect(laneStanding(later)).toEqual({ state: 'open' });
  });
});

test('gives back, once, what a job was charged in a run that opened the breaker', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: 30 }),
      fc.integer({ min: 1, max: 30 }),
      fc.uniqueArray(fc.integer({ min: 1, max: 50 }), { maxLength: 20 }),
      async (before, charged, opened) => {
        const tenant = newTenant();
        const id = await accepted(stores, tenant);
        const key = stores.keys.tenant(tenant).job(id);
        const [run = 7] = opened;
        const isOpened = opened.length > 0;
        await stores.redis.hset(key, {
          attempts: String(before + charged),
          standing: `${run} ${charged} 0 2 5`,
        });
        const runs = `,${opened.join(',')},`;
        const begun = await stores.attempts.begin(tenant, id, 1, 'claim', 'worker', runs);
        if (begun.kind !== 'started') throw new Error(begun.kind);
        expect(begun.claim.attempt).toBe(before + (isOpened ? 0 : charged) + 1);
        expect(begun.claim.standing).toEqual({
          run: isOpened ? 0 : run,
          chargedInRun: isOpened ? 0 : charged,
          trialChargedAtMs: 0,
          refusals: 2,
          refusedSentAtMs: 5,
        });
        // The same claim, sent again because its answer was lost.
        const again = await stores.attempts.begin(tenant, id, 1, 'claim', 'worker', runs);
        expect(again).toMatchObject({ claim: { attempt: begun.claim.attempt } });
      },
    ),
    { numRuns: 30 },
  );
});

test('keeps the numbers of the last twenty runs that opened it', async () => {
  const id = newLane();
  for (let run = 1; run <= 25; run += 1) {
    expect((await open(id)).run).toBe(run);
    await stores.lanes.answer(id, 'trial', call(await now(id)));
  }
  const { openedRuns } = (await stores.lanes.state(id)).health;
  expect(openedRuns.split(',').filter(Boolean).map(Number)).toEqual(
    Array.from({ length: 20 }, (_, at) => 25 - at),
  );
});

test('a damaged argument changes nothing', async () => {
  const id = newLane();
  const key = stores.keys.lane(id).state;
  const good = [id, 'channel', 'no', 'call', 4, 0.5, 1000, 60_000, 0, 0, 0];
  for (const at of [4, 5, 6, 7, 8, 9, 10]) {
    const bad = good.with(at, 'x');
    await expect(stores.run('fail-lane', [key], bad)).rejects.toThrow('not a number');
  }
  for (const at of [3, 4, 5]) {
    const bad = [id, 'channel', 'success', 1, 1, 1].with(at, 'x');
    await expect(stores.run('answer-lane', [key], bad)).rejects.toThrow('not a number');
  }
  expect(await stores.redis.exists(key)).toBe(0);
});
