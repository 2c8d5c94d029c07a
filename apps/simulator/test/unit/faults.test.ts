import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decideSteps } from '../../src/faults/decide.ts';
import { parseFaultName, type Step } from '../../src/faults/names.ts';
import { Rules, ruleSchema, type Rule } from '../../src/faults/rules.ts';
import { OutageState } from '../../src/outage.ts';

const draws = (attempt: number, digest = 'ab'.repeat(32)) => ({ seed: 1, digest, attempt });

function steps(model: string): Step[] {
  const parsed = parseFaultName(model);
  if (!parsed.ok) throw new Error(parsed.reason);
  return parsed.steps;
}

const rule = (value: unknown): Rule => ruleSchema.parse(value);

describe('a fault name', () => {
  it.each([
    ['sim-ok', { kind: 'ok' }],
    ['sim-500', { kind: 'status', status: 500 }],
    ['sim-quota', { kind: 'quota' }],
    ['sim-429-noheader', { kind: 'status', status: 429, headers: false }],
    ['sim-503-wait-2500', { kind: 'status', status: 503, wait_ms: 2500 }],
    ['sim-wrong-type', { kind: 'wrong_type' }],
    ['sim-drip', { kind: 'drip', every_ms: 10_000 }],
    ['sim-drip-50', { kind: 'drip', every_ms: 50 }],
    ['sim-huge-500', { kind: 'huge', megabytes: 500 }],
    ['sim-gzipbomb', { kind: 'gzip_bomb', megabytes: 1000 }],
    ['sim-slow-5000', { kind: 'slow', ms: 5000 }],
    ['sim-hang--lane-b', { kind: 'hang' }],
  ])('%s', (model, fault) => {
    expect(steps(model)).toEqual([{ fault, times: null, probability: 1 }]);
  });

  it('takes counts and chances', () => {
    const error = { kind: 'status', status: 500 };
    expect(steps('sim-flaky-30')).toEqual([{ fault: error, times: null, probability: 0.3 }]);
    expect(steps('sim-fail-2')).toEqual([{ fault: error, times: 2, probability: 1 }]);
    expect(steps('sim-500-x3-p50')).toEqual([{ fault: error, times: 3, probability: 0.5 }]);
  });

  it.each([
    ['sim-boo', '"boo" is no fault'],
    ['sim-', '"" is no fault'],
    ['sim-slow', '"slow" needs a number after it'],
    ['sim-500-never', '"never" is neither a fault nor a modifier'],
    ['sim-html-noheader', '"noheader" is neither'],
    ['sim-constructor', '"constructor" is no fault'],
    ['sim-huge-0', '"huge" needs a number above 0'],
    ['sim-flaky-101', 'percentage'],
  ])('%s is refused with a reason', (model, reason) => {
    expect(parseFaultName(model)).toMatchObject({
      ok: false,
      reason: expect.stringContaining(reason),
    });
  });

  it('never throws', () => {
    fc.assert(fc.property(fc.string(), (text) => void parseFaultName(`sim-${text}`)));
  });
});

describe('what strikes an attempt', () => {
  const status = (model: string, attempt: number): number | null => {
    const { fault } = decideSteps(steps(model), draws(attempt), 0);
    return fault?.kind === 'status' ? fault.status : null;
  };

  it('counted faults take turns', () => {
    const seen = [1, 2, 3, 4].map((attempt) => status('sim-429-x2-500-once', attempt));
    expect(seen).toEqual([429, 429, 500, null]);
  });

  it('delays add up and go on to the next fault', () => {
    const decided = decideSteps(steps('sim-slow-100-slow-50-500'), draws(1), 0);
    expect(decided).toEqual({ delayMs: 150, fault: { kind: 'status', status: 500 } });
  });

  it('chances hit their share, and the same attempt every time', () => {
    const flaky = steps('sim-flaky-30');
    let hits = 0;
    for (let n = 0; n < 5000; n += 1) {
      const digest = n.toString(16).padStart(8, '0').repeat(8);
      const first = decideSteps(flaky, draws(1, digest), 0);
      expect(decideSteps(flaky, draws(1, digest), 0)).toEqual(first);
      if (first.fault) hits += 1;
    }
    expect(hits / 5000).toBeGreaterThan(0.27);
    expect(hits / 5000).toBeLessThan(0.33);
  });
});

describe('rules', () => {
  const decide = (rules: Rules, model: string, nowMs: number) =>
    rules.decide('/v1/chat/completions', model, draws(1), nowMs)?.fault?.kind ?? null;

  it('match model, path and time', () => {
    const rules = new Rules(
      [
        rule({ match: { model: 'gpt-*', after_ms: 100, until_ms: 200 }, fault: 'hang' }),
        rule({ match: { path: '/v1/embeddings' }, fault: 'reset' }),
      ],
      1000,
    );
    expect(decide(rules, 'gpt-a', 1050)).toBeNull();
    expect(decide(rules, 'gpt-a', 1100)).toBe('hang');
    expect(decide(rules, 'o3', 1100)).toBeNull();
    expect(decide(rules, 'gpt-a', 1200)).toBeNull();
    expect(rules.decide('/v1/embeddings', 'o3', draws(1), 1100)?.fault?.kind).toBe('reset');
  });

  it('count the calls that match', () => {
    const nth = new Rules([rule({ match: { nth: 2 }, fault: 'hang' })], 0);
    expect([1, 2, 3].map(() => decide(nth, 'm', 0))).toEqual([null, 'hang', null]);
    const range = new Rules([rule({ match: { nth: { from: 2 } }, fault: 'hang' })], 0);
    expect([1, 2, 3].map(() => decide(range, 'm', 0))).toEqual([null, 'hang', 'hang']);
    const every = new Rules([rule({ match: { every: 2 }, fault: 'hang' })], 0);
    expect([1, 2, 3, 4].map(() => decide(every, 'm', 0))).toEqual([null, 'hang', null, 'hang']);
  });

  it('stop at the first that matches, which may say ok', () => {
    const rules = new Rules([rule({ match: { nth: 1 }, fault: 'ok' }), rule({ fault: '500' })], 0);
    expect([decide(rules, 'm', 0), decide(rules, 'm', 0)]).toEqual(['ok', 'status']);
  });

  it('take faults as words, objects, and as they are shown', () => {
    const words = rule({ fault: '429-wait-2000-x3' });
    expect(words.fault).toEqual([
      { fault: { kind: 'status', status: 429, wait_ms: 2000 }, times: 3, probability: 1 },
    ]);
    expect(rule(words)).toEqual(words);
    expect(rule({ fault: { kind: 'drip', every_ms: 5 } }).fault[0]?.fault.kind).toBe('drip');
  });
});

describe('an outage', () => {
  it('lasts its time', () => {
    const outage = new OutageState();
    expect(outage.decide(draws(1), 0)).toBeNull();
    outage.set({ for_ms: 100, fault: steps('sim-503') }, 50);
    expect(outage.decide(draws(1), 149)?.fault).toEqual({ kind: 'status', status: 503 });
    expect(outage.decide(draws(1), 150)).toBeNull();
  });
});
