import { describe, expect, it } from 'vitest';
import type { LaneSnapshot } from '@nightshift/shared/lane';
import type { CallTimes } from '@nightshift/shared/redis';
import { createLogger } from '@nightshift/shared/telemetry';
import type { InFlight } from '../../src/attempt/in-flight.ts';
import type { Outcome } from '../../src/attempt/outcome.ts';
import { createLaneBreaker } from '../../src/lanes/lane-breaker.ts';
import { createLaneGate } from '../../src/lanes/lane-gate.ts';
import { failuresToOpen, silenceMs, trialTimeoutMs } from '../../src/lanes/lane-health.ts';
import { createSlowStart } from '../../src/lanes/slow-start.ts';

const REDIS_NOW = 1_800_000_000_000;
const snapshot = (more: Partial<LaneSnapshot> = {}, slowMs = 2000): LaneSnapshot => ({
  nowMs: REDIS_NOW,
  coolingUntilMs: null,
  operatorPaused: false,
  paused: null,
  unreachable: null,
  lastRefusedAtMs: null,
  health: {
    isFailing: false,
    openedRuns: ',',
    succeededAtMs: 0,
    succeededSentAtMs: 0,
    slowMs,
    refusedJob: null,
  },
  ...more,
});
const failing = (): LaneSnapshot => {
  const calm = snapshot();
  return { ...calm, health: { ...calm.health, isFailing: true } };
};
const unreachable = (lastedMs: number): LaneSnapshot =>
  snapshot({
    unreachable: {
      sinceMs: REDIS_NOW - lastedMs,
      failures: 4,
      message: 'no',
      trialAtMs: REDIS_NOW,
    },
  });
const succeeded: Outcome = {
  kind: 'succeeded',
  response: { statusCode: 200, requestId: null, body: '{}' },
  usage: null,
};

function setUp(oldestMs: () => number | null = () => null, afterFailure = snapshot()) {
  let nowMs = 1_000_000;
  const told: [string, CallTimes | null][] = [];
  const givenUp: number[] = [];
  const parked: number[] = [];
  const clock = { now: () => 5, monotonic: () => nowMs, sleep: async () => undefined };
  const slowStart = createSlowStart(64);
  const gate = createLaneGate(clock, new AbortController().signal);
  const breaker = createLaneBreaker({
    laneId: 'lane_1',
    lanes: {
      fail: async (_lane, { kind, lastSuccess }) => {
        told.push([kind, lastSuccess]);
        return { run: 3, snapshot: afterFailure };
      },
      answer: async (_lane, kind, times) => {
        told.push([kind, times]);
        return snapshot();
      },
    },
    gate,
    slowStart,
    credential: { succeededAtMs: 0, succeededSentAtMs: 0 },
    inFlight: {
      oldest: oldestMs,
      park: (_lane: string, beforeMs: number) => parked.push(beforeMs),
      giveUp: (_lane: string, beforeMs: number) => {
        givenUp.push(beforeMs);
        return 1;
      },
    } as unknown as InFlight,
    clock,
    random: () => 0,
    logger: createLogger('test', 'silent'),
    atWork: () => 1,
  });
  return { breaker, gate, slowStart, told, givenUp, parked, pass: (ms: number) => (nowMs += ms) };
}
const times = (sentAtMs: number, tookMs = 100): CallTimes => ({
  ...{ sentAtMs, tookMs, endedAtMs: sentAtMs + tookMs },
});

describe('what is reported', () => {
  it('is only the last success, every few seconds, while the lane is healthy', async () => {
    const { breaker, told } = setUp();
    breaker.take(snapshot());
    for (let call = 1; call <= 50; call += 1) breaker.heard(succeeded, times(call, call), true);
    expect(told).toEqual([]);
    await breaker.watch();
    // The latest sending, and the slowest of them.
    expect(told).toEqual([['success', { sentAtMs: 50, endedAtMs: 100, tookMs: 50 }]]);
    await breaker.watch();
    expect(told).toHaveLength(1);
  });

  it('is a success at once while calls fail, then at most four per second', () => {
    const { breaker, told, pass } = setUp();
    breaker.take(failing());
    breaker.heard(succeeded, times(1), true);
    breaker.take(failing());
    breaker.heard(succeeded, times(2), true);
    expect(told).toHaveLength(1);
    pass(250);
    breaker.heard(succeeded, times(3), true);
    expect(told).toHaveLength(2);
  });

  it('includes, with a failure, the last success of this process', async () => {
    const { breaker, told } = setUp();
    breaker.heard(succeeded, times(7), true);
    expect(await breaker.failed('call', 'no')).toMatchObject({ run: 3, succeededSentAtMs: 7 });
    expect(told).toEqual([['call', times(7)]]);
  });
});

describe('silence', () => {
  it('is reported when the oldest call and the last answer are much older than a slow call takes', async () => {
    let sentMs = 1_000_000;
    const { breaker, told, pass } = setUp(() => sentMs);
    breaker.take(snapshot({}, 2000));
    pass(19_000);
    await breaker.watch();
    expect(told).toEqual([]);
    pass(2000);
    await breaker.watch();
    expect(told.map(([kind]) => kind)).toEqual(['silence']);
    // Somebody is answered.
    breaker.heard({ kind: 'aborted', reason: 'handed_off' }, times(1), true);
    sentMs += 40_000;
    await breaker.watch();
    expect(told).toHaveLength(1);
  });

  it('aborts one hanging call, so that trials have a job, and frees the slots of the others', async () => {
    const { breaker, parked, givenUp, pass } = setUp(() => 1_000_000, unreachable(31_000));
    breaker.take(snapshot({}, 2000));
    pass(31_000);
    await breaker.watch();
    expect(givenUp).toEqual([1_011_001]);
    expect(parked).toEqual([1_011_000]);
    await breaker.watch();
    expect(givenUp).toHaveLength(1);
  });

  it('frees the slots of hanging calls while the breaker is open', async () => {
    const { breaker, parked, pass } = setUp(() => 1_000_000);
    breaker.take(unreachable(60_000));
    pass(40_000);
    await breaker.watch();
    pass(2000);
    await breaker.watch();
    expect(parked).toEqual([1_020_000, 1_022_000]);
  });

  it('is not reported while the duration of a call is unknown', async () => {
    const { breaker, told, pass } = setUp(() => 0);
    breaker.take(snapshot({}, 0));
    pass(3_600_000);
    await breaker.watch();
    expect(told).toEqual([]);
  });
});

describe('a breaker that closes', () => {
  it('starts slowly, and soon aborts calls from before that hang', async () => {
    const { breaker, slowStart, givenUp, pass } = setUp(() => 1_000_000);
    breaker.take(unreachable(60_000));
    pass(60_000);
    breaker.take(snapshot());
    expect(slowStart.room).toBe(2);
    await breaker.watch();
    expect(givenUp).toEqual([]);
    pass(4000);
    await breaker.watch();
    expect(givenUp).toEqual([1_044_000]);
  });

  it('holds the gate shut while it is open, and lets one trial through when it is due', async () => {
    const { breaker, gate } = setUp();
    breaker.take(unreachable(5000));
    expect(gate.closed).toMatchObject({ probeDue: true });
    expect(await gate.admit()).toEqual({ kind: 'not_now' });
    gate.startProbe();
    expect(await gate.admit()).toEqual({ kind: 'admitted', isProbe: true });
    breaker.take(snapshot());
    expect(gate.closed).toBeNull();
  });
});

describe('thresholds', () => {
  it.each([
    [0, 0, 4],
    [1, 0, 4],
    [1, 0.1, 4],
    [1, 0.5, 7],
    [1, 1, 7],
    [2, 0, 6],
    [2, 0.5, 7],
    [3, 0.5, 9],
    [4, 0, 10],
    [64, 0, 10],
    [64, 0.3, 10],
    [64, 0.5, 17],
    [64, 0.7, 33],
    [64, 1, 40],
  ])(
    'with %d jobs at work and a failed share of %d, %d consecutive failures open it',
    (...given) => {
      const [atWork, failedShare, failures] = given;
      expect(failuresToOpen(atWork, failedShare)).toBe(failures);
    },
  );

  it('report silence after 20 s, or four slow calls', () => {
    expect([0, 500, 10_000, 60_000].map(silenceMs)).toEqual([null, 20_000, 40_000, 240_000]);
  });

  it('give a trial the time of a slow call, and more as the outage lasts longer', () => {
    expect(trialTimeoutMs(2000, 10_000)).toBe(30_000);
    expect(trialTimeoutMs(60_000, 10_000)).toBe(180_000);
    expect(trialTimeoutMs(2000, 36_000_000)).toBe(600_000);
    expect(trialTimeoutMs(0, 1000)).toBe(60_000);
    expect(trialTimeoutMs(0, 3_600_000)).toBe(1_800_000);
  });
});
