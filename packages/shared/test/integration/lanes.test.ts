import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { eventually } from '@nightshift/local';
import { addAnswer, emptyLengths, laneOf, laneStanding } from '../../src/lane/index.ts';
import { newTenant, openStores, type Stores } from '../support/stores.ts';

let stores: Stores;
beforeAll(async () => {
  stores = await openStores(inject('redisUrl'));
});
afterAll(async () => {
  await stores.close();
});

const newLane = () => laneOf('provider', newTenant(), 'default');

/** Ends a lane's cool-down `agoMs` ago, its last refusal included, without the wait. */
const endCooling = async (laneId: string, agoMs = 1): Promise<void> => {
  const { nowMs } = await stores.lanes.state(laneId);
  const at = String(nowMs - agoMs);
  await stores.redis.hset(stores.keys.lane(laneId).state, 'cooling_until', at);
  await stores.redis.hset(stores.keys.lane(laneId).state, 'last_refused_at', at);
};

describe('registering', () => {
  test('makes a lane known with its descriptor, once', async () => {
    const changes = await stores.listen(stores.keys.channels.lanes);
    const lane = newLane();
    expect(await stores.lanes.find(lane.id)).toBeNull();
    expect(await stores.lanes.register(lane)).toBe('known');
    expect(await stores.lanes.register(lane)).toBe('known');
    expect(await stores.lanes.find(lane.id)).toEqual(lane);
    expect(await stores.lanes.all()).toContainEqual(lane);
    await eventually(() => changes.includes(lane.id));
    const [kind] = (await stores.run(
      'register-lane',
      [stores.keys.lanes],
      [lane.id, '{}', 1000, stores.keys.channels.lanes],
    )) as string[];
    expect(kind).toBe('known');
    expect(await stores.lanes.find(lane.id)).toEqual(lane);
  });

  test('too many: refused, and the known ones stay known', async () => {
    const few = await openStores(inject('redisUrl'), { maxLanes: 2 });
    try {
      const [one, two, three] = [newLane(), newLane(), newLane()];
      expect(await few.lanes.register(one)).toBe('known');
      expect(await few.lanes.register(two)).toBe('known');
      expect(await few.lanes.register(three)).toBe('too_many');
      expect(await few.lanes.register(three)).toBe('too_many');
      expect(await few.lanes.find(three.id)).toBeNull();
      expect(await few.lanes.register(one)).toBe('known');
    } finally {
      await few.close();
    }
  });
});

describe('cooling', () => {
  test("the provider's value, and at most a tenth more", async () => {
    for (const random of [0, 0.999]) {
      const { id } = newLane();
      const changes = await stores.listen(stores.keys.channels.lanes);
      const state = await stores.lanes.cool(id, 20_000, random);
      const coolMs = state.coolingUntilMs! - state.nowMs;
      expect(coolMs).toBeGreaterThanOrEqual(20_000 * (1 + 0.1 * random) - 1);
      expect(coolMs).toBeLessThanOrEqual(22_000);
      expect(state.lastRefusedAtMs).toBe(state.nowMs);
      expect(laneStanding(state)).toMatchObject({ state: 'cooling' });
      await eventually(() => changes.includes(id));
    }
  });

  test('capped at a day', async () => {
    const state = await stores.lanes.cool(newLane().id, 90 * 86_400_000, 0.5);
    expect(state.coolingUntilMs! - state.nowMs).toBe(86_400_000);
  });

  test('one episode, however many answers bring it: prolonged by what is said, never cut short', async () => {
    const { id } = newLane();
    const first = await stores.lanes.cool(id, 20_000, 0);
    const silent = await stores.lanes.cool(id, null, 0.999);
    expect(silent.coolingUntilMs).toBe(first.coolingUntilMs);
    const shorter = await stores.lanes.cool(id, 5000, 0);
    expect(shorter.coolingUntilMs).toBe(first.coolingUntilMs);
    const longer = await stores.lanes.cool(id, 40_000, 0);
    expect(longer.coolingUntilMs! - longer.nowMs).toBe(40_000);
    expect(await stores.redis.hget(stores.keys.lane(id).state, 'episodes')).toBe('1');
  });

  test('an own delay gives way to what the provider says', async () => {
    const { id } = newLane();
    const own = await stores.lanes.cool(id, null, 0.5);
    expect(own.coolingUntilMs! - own.nowMs).toBe(500);
    const said = await stores.lanes.cool(id, 30_000, 0);
    expect(said.coolingUntilMs! - said.nowMs).toBe(30_000);
  });

  test('the own delay doubles with each episode up to a minute, and begins again after a quiet one', async () => {
    const { id } = newLane();
    const delays: number[] = [];
    for (let episode = 1; episode <= 8; episode += 1) {
      const state = await stores.lanes.cool(id, null, 0.5);
      delays.push(state.coolingUntilMs! - state.nowMs);
      await endCooling(id);
    }
    expect(delays).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
    await endCooling(id, 61_000);
    const fresh = await stores.lanes.cool(id, null, 0.5);
    expect(fresh.coolingUntilMs! - fresh.nowMs).toBe(500);
  });

  test('a provider that says 0 again and again is called less and less, until a call succeeds', async () => {
    const { id } = newLane();
    const coolMs = async (): Promise<number> => {
      await endCooling(id);
      const state = await stores.lanes.cool(id, 0, 1);
      return Math.round(state.coolingUntilMs! - state.nowMs);
    };
    const delays: number[] = [];
    for (let episode = 1; episode <= 12; episode += 1) delays.push(await coolMs());
    expect(delays).toEqual([
      ...[100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200, 60_000, 60_000],
    ]);
    const { nowMs } = await stores.lanes.state(id);
    await stores.lanes.answer(id, 'success', {
      ...{ sentAtMs: nowMs + 10, endedAtMs: nowMs + 20, tookMs: 10 },
    });
    expect(await coolMs()).toBe(100);
  });

  test('never less than a tenth of a second, and over by itself', async () => {
    const { id } = newLane();
    const state = await stores.lanes.cool(id, null, 0);
    expect(state.coolingUntilMs! - state.nowMs).toBe(100);
    await eventually(async () => laneStanding(await stores.lanes.state(id)).state === 'open');
  });
});

describe('paused by the provider', () => {
  const pause = async (id: string, wasProbe = false) =>
    stores.lanes.pauseForProvider(id, 'unauthorized', 'bad key', wasProbe);
  const probeInMs = async (id: string): Promise<number> => {
    const { paused, nowMs } = await stores.lanes.state(id);
    return paused!.probeAtMs - nowMs;
  };
  const makeProbeDue = async (id: string): Promise<void> => {
    await stores.redis.hset(stores.keys.lane(id).state, 'probe_at', '1000');
  };

  test('with its reason and the instant of the first probe', async () => {
    const { id } = newLane();
    const state = await pause(id);
    expect(laneStanding(state)).toEqual({
      state: 'paused',
      reason: 'unauthorized',
      message: 'bad key',
      untilMs: state.nowMs + 5000,
    });
    expect(await stores.lanes.takeProbe(id)).toBe(false);
  });

  test('a hundred answers are one piece of news; only a failed probe doubles the distance', async () => {
    const { id } = newLane();
    const first = await pause(id);
    await Promise.all(Array.from({ length: 100 }, async () => pause(id)));
    expect((await stores.lanes.state(id)).paused?.probeAtMs).toBe(first.paused?.probeAtMs);
    const distances: number[] = [];
    for (let probe = 1; probe <= 5; probe += 1) {
      const state = await pause(id, true);
      distances.push(state.paused!.probeAtMs - state.nowMs);
    }
    expect(distances).toEqual([10_000, 20_000, 40_000, 60_000, 60_000]);
  });

  test('a new reason takes the place of the old one', async () => {
    const { id } = newLane();
    await pause(id);
    const state = await stores.lanes.pauseForProvider(id, 'insufficient_quota', 'pay', false);
    expect(state.paused).toMatchObject({ reason: 'insufficient_quota', message: 'pay' });
  });

  test('one worker of many gets the probe when it is due, and another after its hold', async () => {
    const { id } = newLane();
    await pause(id);
    await makeProbeDue(id);
    const takes = await Promise.all(
      Array.from({ length: 20 }, async () => stores.lanes.takeProbe(id)),
    );
    expect(takes.filter(Boolean)).toHaveLength(1);
    await stores.redis.hset(stores.keys.lane(id).state, 'probe_until', '1000');
    expect(await stores.lanes.takeProbe(id)).toBe(true);
  });

  test('a failed probe gives its hold back and waits longer', async () => {
    const { id } = newLane();
    await pause(id);
    await makeProbeDue(id);
    await stores.lanes.takeProbe(id);
    await pause(id, true);
    expect(await probeInMs(id)).toBeGreaterThan(9000);
    expect(await stores.lanes.takeProbe(id)).toBe(false);
    await makeProbeDue(id);
    expect(await stores.lanes.takeProbe(id)).toBe(true);
  });

  test('an answered probe opens it, and the next pause begins anew', async () => {
    const { id } = newLane();
    await pause(id);
    await pause(id, true);
    expect(laneStanding(await stores.lanes.openAfterProbe(id))).toEqual({ state: 'open' });
    const again = await pause(id);
    expect(again.paused!.probeAtMs - again.nowMs).toBe(5000);
  });

  test('a lane that is not paused has no probe to take', async () => {
    expect(await stores.lanes.takeProbe(newLane().id)).toBe(false);
  });
});

describe('paused by an operator', () => {
  test('until an operator resumes it: a probe neither starts nor opens it', async () => {
    const { id } = newLane();
    await stores.lanes.pauseForProvider(id, 'forbidden', 'no', false);
    const state = await stores.lanes.pauseForOperator(id);
    expect(laneStanding(state)).toMatchObject({ reason: 'operator', untilMs: null });
    await stores.redis.hset(stores.keys.lane(id).state, 'probe_at', '1000');
    expect(await stores.lanes.takeProbe(id)).toBe(false);
    const probed = await stores.lanes.openAfterProbe(id);
    expect(laneStanding(probed)).toMatchObject({ state: 'paused', reason: 'operator' });
    expect(laneStanding(await stores.lanes.resumeForOperator(id))).toEqual({ state: 'open' });
  });

  test('an operator also lifts the pause of the provider', async () => {
    const { id } = newLane();
    await stores.lanes.pauseForProvider(id, 'insufficient_quota', 'pay', false);
    expect(laneStanding(await stores.lanes.resumeForOperator(id))).toEqual({ state: 'open' });
  });

  test('a cool-down outlasts pause and resume', async () => {
    const { id } = newLane();
    const { coolingUntilMs } = await stores.lanes.cool(id, 60_000, 0);
    await stores.lanes.pauseForOperator(id);
    expect(laneStanding(await stores.lanes.resumeForOperator(id))).toEqual({
      state: 'cooling',
      untilMs: coolingUntilMs,
    });
  });
});

test('calls and refusals of the last minute, older ones left out', async () => {
  const { id } = newLane();
  const nowMs = 1_700_000_000_000;
  await stores.lanes.addCalls(id, nowMs - 120_000, { calls: 100, refused: 100 });
  await stores.lanes.addCalls(id, nowMs - 30_000, { calls: 5, refused: 0 });
  await stores.lanes.addCalls(id, nowMs, { calls: 2, refused: 1 });
  await stores.lanes.addCalls(id, nowMs, { calls: 1, refused: 1 });
  expect(await stores.lanes.callsLastMinute(id, nowMs)).toEqual({ calls: 8, refused: 2 });
  const bucket = stores.keys.lane(id).calls(nowMs / 10_000);
  expect(await stores.redis.pttl(bucket)).toBeGreaterThan(0);
});

describe('the history of a lane', () => {
  const START_MS = 1_700_000_000_000;
  const lengthsOf = (count: number, tokens: number) => {
    const lengths = emptyLengths();
    for (let n = 0; n < count; n += 1) addAnswer(lengths, tokens);
    return new Map([['/v1/responses', lengths]] as const);
  };
  const work = async (id: string, queue: string): Promise<unknown> =>
    stores.redis.rpush(stores.keys.lane(id).waiting(queue), 'a');

  test('sums the reports of all workers, and halves old counts', async () => {
    const { id } = newLane();
    expect(await stores.lanes.history(id)).toEqual({ lengths: new Map(), reached: null });
    const note = { results: 3, lengths: lengthsOf(3, 100) };
    await stores.lanes.note(id, START_MS, note);
    await stores.lanes.note(id, START_MS, note);
    await stores.lanes.note(id, START_MS, { results: 0, lengths: new Map() });
    const { lengths } = await stores.lanes.history(id);
    expect(lengths.get('/v1/responses')).toMatchObject({ answers: 6, tokens: 600 });
    for (let n = 0; n < 5; n += 1) {
      await stores.lanes.note(id, START_MS, { results: 0, lengths: lengthsOf(999, 20) });
    }
    const now = (await stores.lanes.history(id)).lengths.get('/v1/responses');
    expect(now?.answers).toBeGreaterThan(1000);
    expect(now?.answers).toBeLessThanOrEqual(2000);
    expect((now?.tokens ?? 0) / (now?.answers ?? 1)).toBeCloseTo(20, 0);
    expect(await stores.redis.pttl(stores.keys.lane(id).history)).toBeGreaterThan(86_400_000);
  });

  /** Two workers note `results` each, five times in a stretch of ten seconds. */
  const stretch = async (id: string, at: number, results: number): Promise<void> => {
    for (let look = 0; look < 5; look += 1) {
      const note = { results, lengths: new Map() };
      await stores.lanes.note(id, START_MS + at * 10_000 + look * 2000, note);
      await stores.lanes.note(id, START_MS + at * 10_000 + look * 2000 + 1, note);
    }
  };

  test.each(['bulk', 'interactive'])('measures the rate while %s work waits', async (queue) => {
    const { id } = newLane();
    await work(id, queue);
    await stretch(id, 0, 1);
    await stretch(id, 1, 10);
    await stretch(id, 2, 20);
    // The first one was not seen from its beginning, and the third is not over.
    expect((await stores.lanes.history(id)).reached).toMatchObject({ perSecond: 10 });
    await stretch(id, 3, 0);
    expect((await stores.lanes.history(id)).reached).toEqual({
      ...{ perSecond: 15, busyMs: 20_000, atMs: START_MS + 30_000 },
    });
  });

  test('measures no throughput while nothing waits, nor across a gap', async () => {
    const { id } = newLane();
    for (let at = 0; at < 4; at += 1) await stretch(id, at, 10);
    expect((await stores.lanes.history(id)).reached).toBeNull();
    await work(id, 'bulk');
    await stretch(id, 10, 10);
    await stretch(id, 12, 10);
    await stretch(id, 14, 10);
    expect((await stores.lanes.history(id)).reached).toBeNull();
  });

  test('halves an old throughput', async () => {
    const { id } = newLane();
    await work(id, 'bulk');
    await stores.redis.hset(stores.keys.lane(id).history, 'reached', '60000 60 1');
    await stretch(id, 0, 0);
    await stretch(id, 1, 0);
    await stretch(id, 2, 0);
    expect((await stores.lanes.history(id)).reached).toMatchObject({
      perSecond: 100,
      busyMs: 300_000,
    });
  });

  test('is not changed by a malformed report', async () => {
    const { id } = newLane();
    const bad = { results: Number.NaN, lengths: lengthsOf(1, 5) };
    await expect(stores.lanes.note(id, START_MS, bad)).rejects.toThrow(/ARGV 2 must be a number/);
    expect(await stores.redis.exists(stores.keys.lane(id).history)).toBe(0);
  });
});
