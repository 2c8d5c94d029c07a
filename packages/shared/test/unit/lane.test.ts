import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { laneIdPattern, laneOf, laneStanding, type LaneState } from '../../src/lane/index.ts';

describe('laneOf', () => {
  const name = fc.string({ unit: 'binary' });

  test('the same provider, model and credential are the same lane; an id fits into a path and a key', () => {
    fc.assert(
      fc.property(name, name, name, (provider, model, credential) => {
        const lane = laneOf(provider, model, credential);
        expect(lane).toEqual(laneOf(provider, model, credential));
        expect(lane).toMatchObject({ provider, model, credential });
        expect(lane.id).toMatch(laneIdPattern);
      }),
    );
  });

  test('different ones are different lanes, also where their names joined would be the same', () => {
    fc.assert(
      fc.property(name, name, name, (a, b, c) => {
        fc.pre(b !== '');
        expect(laneOf(a, b, c).id).not.toBe(laneOf(a + b, '', c).id);
        expect(laneOf(a, b, c).id).not.toBe(laneOf(a, b, `${c}x`).id);
      }),
    );
  });
});

describe('laneStanding', () => {
  const open: LaneState = {
    nowMs: 1000,
    coolingUntilMs: null,
    operatorPaused: false,
    paused: null,
    unreachable: null,
    lastRefusedAtMs: null,
  };
  const paused = { reason: 'unauthorized', message: 'bad key', probeAtMs: 5000 } as const;

  test('open when nothing is known against it, and again when a cool-down is over', () => {
    expect(laneStanding(open)).toEqual({ state: 'open' });
    expect(laneStanding({ ...open, coolingUntilMs: 1000 })).toEqual({ state: 'open' });
  });

  test('cooling until the instant', () => {
    expect(laneStanding({ ...open, coolingUntilMs: 1001 })).toEqual({
      state: 'cooling',
      untilMs: 1001,
    });
  });

  test('a pause by the provider hides a cool-down and tells the next probe', () => {
    expect(laneStanding({ ...open, coolingUntilMs: 9000, paused })).toEqual({
      state: 'paused',
      reason: 'unauthorized',
      message: 'bad key',
      untilMs: 5000,
    });
  });

  test('a pause by an operator hides everything and has no end of its own', () => {
    const state = { ...open, coolingUntilMs: 9000, paused, operatorPaused: true };
    expect(laneStanding(state)).toMatchObject({
      state: 'paused',
      reason: 'operator',
      untilMs: null,
    });
  });
});
