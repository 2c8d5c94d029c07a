import { describe, expect, it } from 'vitest';
import { Allowance } from '../../src/limits/allowance.ts';
import { formatDuration } from '../../src/limits/duration.ts';
import { addLimitHeaders, addRetryAfter, refusalBody } from '../../src/limits/headers.ts';
import { Slots } from '../../src/limits/slots.ts';
import { Timeline } from '../../src/timeline.ts';
import { defaultSettings, limitsFor, mergeSettings } from '../../src/settings.ts';

const none = {
  requests_per_minute: null,
  tokens_per_minute: null,
  slots: null,
  queue_limit: null,
};

function headersOf(flat: readonly string[]): Record<string, string> {
  const pairs = flat.flatMap((name, index) => (index % 2 ? [] : [[name, flat[index + 1]!]]));
  return Object.fromEntries(pairs) as Record<string, string>;
}

describe('durations', () => {
  it.each([
    [0, '0s'],
    [6, '6ms'],
    [5.2, '6ms'],
    [1000, '1s'],
    [1200, '1.2s'],
    [7660, '7.66s'],
    [62_500, '1m2.5s'],
    [360_000, '6m0s'],
    [3_600_000, '1h0m0s'],
  ])('%d ms is %s', (ms, text) => expect(formatDuration(ms)).toBe(text));
});

describe('an allowance', () => {
  it('words a refusal as public 429 messages do, to the millisecond', () => {
    const examples = [
      { limit: 30_000, used: 29_937, requested: 385, wait: '644ms' },
      { limit: 10_000, used: 8554, requested: 3082, wait: '9.816s' },
      { limit: 30_000, used: 14_567, requested: 24_754, wait: '18.642s' },
    ];
    for (const { limit, used, requested, wait } of examples) {
      const allowance = new Allowance({ ...none, tokens_per_minute: limit }, defaultSettings, 0);
      expect(allowance.admit(used, 0).kind).toBe('admitted');
      const refused = allowance.admit(requested, 0);
      if (refused.kind !== 'refused') throw new Error(`expected a refusal, got ${refused.kind}`);
      const { error } = JSON.parse(refusalBody('gpt-4o', refused, 'openai'));
      expect(error).toMatchObject({ type: 'tokens', code: 'rate_limit_exceeded' });
      expect(error.message).toBe(
        `Rate limit reached for gpt-4o in organization org-simulator on tokens per min (TPM): Limit ${limit}, Used ${used}, Requested ${requested}. Please try again in ${wait}. Visit https://platform.openai.com/account/rate-limits to learn more.`,
      );
    }
  });

  it('never admits a call that is larger than its bucket, and says so', () => {
    const allowance = new Allowance({ ...none, tokens_per_minute: 100 }, defaultSettings, 0);
    const refused = allowance.admit(101, 0);
    if (refused.kind !== 'too_large') throw new Error(`got ${refused.kind}`);
    expect(refusalBody('m', refused, 'openai')).toContain('Request too large for m');
  });

  it('charges both buckets or neither', () => {
    const limits = { ...none, requests_per_minute: 10, tokens_per_minute: 100 };
    const allowance = new Allowance(limits, defaultSettings, 0);
    allowance.admit(90, 0);
    expect(allowance.admit(20, 0)).toMatchObject({ kind: 'refused', by: 'tokens' });
    expect(allowance.requests?.level(0)).toBe(9);
    expect(allowance.tokens?.level(0)).toBe(10);
  });

  it.each([
    ['free', 9, 10],
    ['request', 8, 10],
    ['all', 8, 0],
  ] as const)('charges a refused call: %s', (refusedCalls, requests, tokens) => {
    const limits = { ...none, requests_per_minute: 10, tokens_per_minute: 100 };
    const pacing = { ...defaultSettings, refused_calls: refusedCalls };
    const allowance = new Allowance(limits, pacing, 0);
    allowance.admit(90, 0);
    allowance.admit(20, 0);
    expect(allowance.requests?.level(0)).toBe(requests);
    expect(allowance.tokens?.level(0)).toBe(tokens);
  });

  it('refunds what was not used only when told to', () => {
    for (const refund of [true, false]) {
      const limits = { ...none, tokens_per_minute: 1000 };
      const allowance = new Allowance(limits, { ...defaultSettings, refund }, 0);
      allowance.admit(600, 0);
      allowance.settle(600, 100, 0);
      expect(allowance.tokens?.level(0)).toBe(refund ? 900 : 400);
    }
  });
});

describe('limit headers', () => {
  const limits = { ...none, requests_per_minute: 500, tokens_per_minute: 30_000 };

  it('say limit, what remains and when it is full again', () => {
    const allowance = new Allowance(limits, defaultSettings, 0);
    allowance.admit(625, 0);
    const flat: string[] = [];
    addLimitHeaders(flat, allowance, 'openai', 0);
    expect(headersOf(flat)).toEqual({
      'x-ratelimit-limit-requests': '500',
      'x-ratelimit-remaining-requests': '499',
      'x-ratelimit-reset-requests': '120ms',
      'x-ratelimit-limit-tokens': '30000',
      'x-ratelimit-remaining-tokens': '29375',
      'x-ratelimit-reset-tokens': '1.25s',
    });
  });

  it('say -1 for what Azure does not limit', () => {
    const allowance = new Allowance({ ...none, tokens_per_minute: 60 }, defaultSettings, 0);
    allowance.admit(10, 0);
    const flat: string[] = [];
    addLimitHeaders(flat, allowance, 'azure', 0);
    expect(headersOf(flat)).toMatchObject({
      'x-ratelimit-limit-requests': '-1',
      'x-ratelimit-remaining-tokens': '50',
      'x-ratelimit-reset-tokens': '10',
    });
  });

  it.each(['none', 'retry_after'] as const)('say nothing in style %s', (style) => {
    const flat: string[] = [];
    addLimitHeaders(flat, new Allowance(limits, defaultSettings, 0), style, 0);
    expect(flat).toEqual([]);
  });

  it('round retry-after up', () => {
    const flat: string[] = [];
    addRetryAfter(flat, 1200.4);
    expect(headersOf(flat)).toEqual({ 'retry-after': '2', 'retry-after-ms': '1201' });
  });
});

describe('settings', () => {
  it('take the wider pattern first, the exact name next and the key last', () => {
    const settings = mergeSettings(defaultSettings, {
      limits: {
        '*': { requests_per_minute: 1, tokens_per_minute: 10 },
        'gpt-*': { requests_per_minute: 2 },
        'gpt-x': { tokens_per_minute: null },
      },
      key_limits: { k: { '*': { requests_per_minute: 7 } } },
    });
    expect(limitsFor(settings, null, 'other')).toMatchObject({ requests_per_minute: 1 });
    expect(limitsFor(settings, 'j', 'gpt-x')).toMatchObject({
      requests_per_minute: 2,
      tokens_per_minute: null,
    });
    expect(limitsFor(settings, 'k', 'gpt-y')).toMatchObject({
      requests_per_minute: 7,
      tokens_per_minute: 10,
    });
  });

  it('merge limits model by model, and null takes one away', () => {
    const first = mergeSettings(defaultSettings, {
      limits: { a: { slots: 1, queue_limit: 2 }, b: { slots: 3 } },
    });
    const second = mergeSettings(first, { limits: { a: { slots: 5 }, b: null } });
    expect(second.limits).toEqual({ a: { slots: 5, queue_limit: 2 } });
  });
});

describe('slots', () => {
  it('run so many at once, queue so many more in order, and refuse the rest', () => {
    const slots = new Slots(1, 2, () => 0);
    const started: string[] = [];
    const first = (): unknown => started.push('first');
    const second = (): unknown => started.push('second');
    const third = (): unknown => started.push('third');
    expect(slots.enter(first)).toBe('running');
    expect(slots.enter(second)).toBe('waiting');
    expect(slots.enter(third)).toBe('waiting');
    expect(slots.enter(() => started.push('fourth'))).toBe('full');
    expect([slots.running, slots.waiting]).toEqual([1, 2]);
    expect(slots.leaveQueue(second)).toBe(true);
    slots.release();
    expect(started).toEqual(['first', 'third']);
    slots.configure(null, null);
    expect([slots.running, slots.waiting]).toEqual([1, 0]);
  });

  it('sum up how long calls ran and waited', () => {
    let nowMs = 1000;
    const slots = new Slots(1, null, () => nowMs);
    slots.enter(() => undefined);
    nowMs += 10;
    slots.enter(() => undefined);
    slots.enter(() => undefined);
    nowMs += 5;
    slots.release();
    nowMs += 1;
    // One ran all of 16 ms; two waited for 5 ms and one for 1 ms more.
    expect(slots.occupancy()).toEqual({ running: 1, waiting: 1, running_ms: 16, waiting_ms: 11 });
    slots.resetSums();
    nowMs += 2;
    expect(slots.occupancy()).toEqual({ running: 1, waiting: 1, running_ms: 2, waiting_ms: 2 });
  });
});

describe('the timeline', () => {
  it('counts by second and model', () => {
    const timeline = new Timeline(10);
    timeline.add('a', 5000, 7);
    timeline.add('a', 5999, null);
    timeline.add('b', 5999, 1);
    timeline.add('a', 6000, 2);
    expect(timeline.entries({ model: 'a' })).toEqual([
      { at_s: 5, model: 'a', admitted: 1, refused: 1, charged_tokens: 7 },
      { at_s: 6, model: 'a', admitted: 1, refused: 0, charged_tokens: 2 },
    ]);
    expect(timeline.entries({ after: 5 })).toHaveLength(1);
    timeline.reset();
    timeline.add('a', 6000, 2);
    expect(timeline.entries()).toHaveLength(1);
  });

  it('forgets the oldest beyond its size', () => {
    const timeline = new Timeline(10);
    for (let second = 0; second < 100; second += 1) timeline.add('a', second * 1000, 1);
    const kept = timeline.entries();
    expect(kept.length).toBeLessThanOrEqual(11);
    expect(kept.at(-1)?.at_s).toBe(99);
  });
});
