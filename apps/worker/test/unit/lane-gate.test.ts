import { describe, expect, it } from 'vitest';
import type { Clock } from '@nightshift/shared/clock';
import type { LaneState } from '@nightshift/shared/lane';
import { createLaneGate } from '../../src/lanes/lane-gate.ts';

/** Redis' clock and this host's are hours apart on purpose. */
const REDIS_NOW = 1_800_000_000_000;

function setUp() {
  let nowMs = 1000;
  const sleeps: number[] = [];
  const clock: Clock = {
    now: () => 5,
    monotonic: () => nowMs,
    sleep: async (ms) => {
      sleeps.push(ms);
      nowMs += ms;
    },
  };
  const stopping = new AbortController();
  const gate = createLaneGate(clock, stopping.signal);
  return { gate, stopping, sleeps, advance: (ms: number) => (nowMs += ms) };
}

const state = (more: Partial<LaneState> = {}): LaneState => ({
  nowMs: REDIS_NOW,
  coolingUntilMs: null,
  operatorPaused: false,
  paused: null,
  unreachable: null,
  lastRefusedAtMs: null,
  ...more,
});
const refused = (probeInMs: number): LaneState =>
  state({ paused: { reason: 'unauthorized', message: 'no', probeAtMs: REDIS_NOW + probeInMs } });

describe('lane gate', () => {
  it('admits while the lane is open', async () => {
    const { gate } = setUp();
    expect(await gate.admit()).toEqual({ kind: 'admitted', isProbe: false });
  });

  it('sleeps a short cool-down where the job is', async () => {
    const { gate, sleeps } = setUp();
    gate.update(state({ coolingUntilMs: REDIS_NOW + 800 }));
    expect(gate.closed).toBeNull();
    expect(await gate.admit()).toEqual({ kind: 'admitted', isProbe: false });
    expect(sleeps).toEqual([800]);
  });

  it('sends a job back when the cool-down is long, and opens when it is over', async () => {
    const { gate, advance } = setUp();
    gate.update(state({ coolingUntilMs: REDIS_NOW + 5000 }));
    expect(await gate.admit()).toEqual({ kind: 'not_now' });
    expect(gate.closed).toEqual({ untilMs: 6000, probeDue: false });
    advance(5000);
    expect(gate.closed).toBeNull();
    expect(await gate.admit()).toEqual({ kind: 'admitted', isProbe: false });
  });

  it('says when a probe is due, and lets exactly one call through', async () => {
    const { gate, advance } = setUp();
    gate.update(refused(5000));
    expect(gate.closed).toEqual({ untilMs: 6000, probeDue: false });
    expect(await gate.admit()).toEqual({ kind: 'not_now' });
    advance(5000);
    expect(gate.closed).toEqual({ untilMs: 6000, probeDue: true });
    gate.startProbe();
    expect(await gate.admit()).toEqual({ kind: 'admitted', isProbe: true });
    const second = gate.admit();
    gate.update(state());
    expect(await second).toEqual({ kind: 'admitted', isProbe: false });
  });

  it('turns the others away when the probe fails', async () => {
    const { gate } = setUp();
    gate.update(refused(0));
    gate.startProbe();
    await gate.admit();
    const second = gate.admit();
    gate.update(refused(10_000));
    gate.endProbe();
    expect(await second).toEqual({ kind: 'not_now' });
    expect(gate.closed).toEqual({ untilMs: 11_000, probeDue: false });
  });

  it('never probes what an operator paused', () => {
    const { gate } = setUp();
    gate.update({ ...refused(0), operatorPaused: true });
    expect(gate.closed).toEqual({ untilMs: null, probeDue: false });
  });

  it('ends all waits once the worker stops', async () => {
    const { gate, stopping } = setUp();
    gate.update(refused(0));
    gate.startProbe();
    await gate.admit();
    const second = gate.admit();
    stopping.abort();
    expect(await second).toEqual({ kind: 'not_now' });
  });
});
