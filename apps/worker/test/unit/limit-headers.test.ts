import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readLimits } from '../../src/pacing/limit-headers.ts';

const NOW_MS = Date.parse('2026-01-01T12:00:00Z');

const read = (headers: Record<string, string>, nowMs = NOW_MS) =>
  readLimits(new Headers(headers), nowMs);

const openai = (reset: string | null, limit = '500', remaining = '499') =>
  read({
    'x-ratelimit-limit-requests': limit,
    'x-ratelimit-remaining-requests': remaining,
    ...(reset !== null && { 'x-ratelimit-reset-requests': reset }),
  }).requests;

describe('a reset', () => {
  it.each([
    ['6m0s', 360_000],
    ['8.64s', 8640],
    ['20ms', 20],
    ['0s', 0],
    ['1h0m0s', 3_600_000],
    ['1d2h', 93_600_000],
    ['1m2.5s', 62_500],
    // Azure: seconds.
    ['0', 0],
    ['37', 37_000],
    ['1.5', 1500],
  ])('of %s', (text, ms) => {
    expect(openai(text)?.resetMs).toBeCloseTo(ms, 6);
  });

  it.each([
    ...['', ' ', 'soon', '-5s', '-1', '5 s', '1e3s', 's', '6m0', 'NaN', '0x10'],
    // A unix time is no time to wait.
    ...['1767268800', '9999999999s', '2026-13-45T99:00:00Z', '2026-01-01'],
  ])('of %j says nothing, and the rest still counts', (text) => {
    expect(openai(text)).toEqual({ limit: 500, remaining: 499, resetMs: null });
  });

  it('may be missing', () => {
    expect(openai(null)).toEqual({ limit: 500, remaining: 499, resetMs: null });
  });
});

describe('a limit', () => {
  it.each([
    ['-1', '-1'],
    ['0', '0'],
    ['500', '-1'],
    ['500', ''],
    ['', '499'],
    ['many', '499'],
    ['500', '1e2'],
    ['9'.repeat(16), '1'],
    ['Infinity', '1'],
  ])('of %j with %j remaining is none', (limit, remaining) => {
    expect(openai('1s', limit, remaining)).toBeNull();
  });

  it('may be large', () => {
    expect(openai('1s', '180000000000', '179999999999')?.limit).toBe(180_000_000_000);
  });

  it('that Azure writes as -1 hides no other', () => {
    expect(
      read({
        'x-ratelimit-limit-requests': '-1',
        'x-ratelimit-remaining-requests': '-1',
        'x-ratelimit-limit-tokens': '1000',
        'x-ratelimit-remaining-tokens': '900',
        'x-ratelimit-reset-tokens': '6',
      }),
    ).toEqual({ requests: null, tokens: { limit: 1000, remaining: 900, resetMs: 6000 } });
  });
});

describe('Anthropic', () => {
  const anthropic = (unit: string, more: Record<string, string> = {}) => ({
    [`anthropic-ratelimit-${unit}-limit`]: '50',
    [`anthropic-ratelimit-${unit}-remaining`]: '40',
    [`anthropic-ratelimit-${unit}-reset`]: '2026-01-01T12:00:12Z',
    ...more,
  });

  it("reads a date against the answer's own, so that this host's clock does not matter", () => {
    const headers = anthropic('requests', { date: 'Thu, 01 Jan 2026 12:00:02 GMT' });
    for (const nowMs of [NOW_MS, NOW_MS + 7_200_000]) {
      expect(read(headers, nowMs).requests).toEqual({ limit: 50, remaining: 40, resetMs: 10_000 });
    }
  });

  it.each([{}, { date: 'yesterday' }])('without a usable date (%j): against this host', (more) => {
    expect(read(anthropic('requests', more)).requests?.resetMs).toBe(12_000);
  });

  it('never waits for the past', () => {
    expect(read(anthropic('requests'), NOW_MS + 60_000).requests?.resetMs).toBe(0);
  });

  it.each(['tokens', 'input-tokens'])('tells its tokens as %s', (unit) => {
    expect(read(anthropic(unit)).tokens).toEqual({ limit: 50, remaining: 40, resetMs: 12_000 });
  });
});

it('no headers: nothing is known', () => {
  expect(read({})).toEqual({ requests: null, tokens: null });
});

it('whatever a provider writes: a positive limit, a remainder and a reset that are not negative, or nothing', () => {
  const text = fc.oneof(
    fc.string({ unit: 'grapheme-ascii', maxLength: 40 }),
    fc.double().map(String),
    fc.stringMatching(/^[0-9.]{1,12}(ms|d|h|m|s|Z|T)?[0-9:-]{0,8}$/),
    fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
  );
  fc.assert(
    fc.property(text, text, text, text, (limit, remaining, reset, date) => {
      const headers = {
        get: (name: string): string | null =>
          ({
            'x-ratelimit-limit-tokens': limit,
            'x-ratelimit-remaining-tokens': remaining,
            'x-ratelimit-reset-tokens': reset,
            date,
          })[name] ?? null,
      };
      const { tokens } = readLimits(headers, NOW_MS);
      if (tokens === null) return;
      expect(tokens.limit).toBeGreaterThan(0);
      expect(tokens.remaining).toBeGreaterThanOrEqual(0);
      if (tokens.resetMs !== null) expect(tokens.resetMs).toBeGreaterThanOrEqual(0);
      expect(Number.isFinite(tokens.limit + tokens.remaining + (tokens.resetMs ?? 0))).toBe(true);
    }),
    { numRuns: 500 },
  );
});
