import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BoundedMap } from '../../src/bounded-map.ts';
import { latencySchema, sampleLatency } from '../../src/latency.ts';
import { Ledger, type LedgerEntry } from '../../src/ledger.ts';
import { planPace } from '../../src/pace.ts';
import { drawFor } from '../../src/random.ts';
import { defaultSettings } from '../../src/settings.ts';

const call = (model: string): Omit<LedgerEntry, 'n'> => ({
  at_ms: 0,
  path: '/v1/responses',
  model,
  marker: null,
  body_sha256: 'ab'.repeat(32),
  attempt: 1,
  stream: false,
  status: null,
  outcome: 'pending',
  fault: null,
  started_at_ms: null,
  ended_at_ms: null,
  client_aborted: false,
  response_id: null,
  input_tokens: 0,
  output_tokens: 0,
  charged_tokens: 0,
});

describe('the ledger', () => {
  it('remembers the last calls and pages through them', () => {
    const ledger = new Ledger(5);
    for (let n = 1; n <= 8; n += 1) ledger.add(call(n % 2 ? 'odd' : 'even'));
    const first = ledger.calls({ limit: 3 });
    expect(first.data.map(({ n }) => n)).toEqual([4, 5, 6]);
    expect(first).toMatchObject({ has_more: true, last_n: 6, first_n: 4 });
    const rest = ledger.calls({ after: first.last_n });
    expect(rest.data.map(({ n }) => n)).toEqual([7, 8]);
    expect(rest.has_more).toBe(false);
    expect(ledger.calls({ model: 'odd' }).data.map(({ n }) => n)).toEqual([5, 7]);
    expect(ledger.calls({ digest: 'abab' }).data).toHaveLength(5);
    expect(ledger.calls({ digest: 'ff' }).data).toHaveLength(0);
  });

  it('goes on counting after a reset', () => {
    const ledger = new Ledger(5);
    ledger.add(call('m'));
    ledger.reset();
    expect(ledger.calls().data).toEqual([]);
    expect(ledger.add(call('m')).n).toBe(2);
    expect(ledger.calls({ after: 1 }).data.map(({ n }) => n)).toEqual([2]);
  });
});

describe('a bounded map', () => {
  it('never holds more than its limit and one generation, and keeps the newest half', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 50 })), fc.integer({ min: 2, max: 20 }), (keys, limit) => {
        const map = new BoundedMap<number>(limit);
        for (const key of keys) {
          map.set(String(key), key);
          expect(map.get(String(key))).toBe(key);
        }
        expect([...map.entries()].length).toBeLessThanOrEqual(limit + 2);
        const newest = [...new Set(keys.toReversed())].slice(0, Math.floor(limit / 2));
        for (const key of newest) expect(map.get(String(key))).toBe(key);
      }),
    );
  });
});

describe('latencies', () => {
  const samples = (text: string | number): number[] => {
    const latency = latencySchema.parse(text);
    return Array.from({ length: 4001 }, (_, n) => {
      const digest = n.toString(16).padStart(8, '0');
      return sampleLatency(latency, drawFor(7, digest, 1, 0), drawFor(7, digest, 1, 1));
    }).toSorted((left, right) => left - right);
  };

  it('are what was asked for', () => {
    expect(new Set(samples(250))).toEqual(new Set([250]));
    const uniform = samples('uniform:100-500');
    expect(uniform[0]).toBeGreaterThanOrEqual(100);
    expect(uniform.at(-1)).toBeLessThan(500);
    expect(uniform[2000]).toBeGreaterThan(285);
    expect(uniform[2000]).toBeLessThan(315);
    const logNormal = samples('lognormal:2000,0.5');
    expect(logNormal[2000]).toBeGreaterThan(1900);
    expect(logNormal[2000]).toBeLessThan(2100);
    // One sigma up: 2000 × e^0.5 = 3297 at the 84.13th percentile.
    expect(logNormal[Math.floor(4001 * 0.8413)]).toBeGreaterThan(3100);
    expect(logNormal[Math.floor(4001 * 0.8413)]).toBeLessThan(3500);
  });

  it('refuse anything else', () => {
    for (const wrong of ['soon', 'uniform:5-1', -1, 'lognormal:1', '']) {
      expect(latencySchema.safeParse(wrong).success).toBe(false);
    }
  });

  it('are the same for the same seed, body and attempt, and for no other', () => {
    const settings = { ...defaultSettings, latency: latencySchema.parse('uniform:0-1000') };
    const wholeMs = (seed: number, digest: string, attempt: number) =>
      planPace(settings, { seed, digest, attempt }, 1).wholeMs;
    expect(wholeMs(1, 'abcdef01', 1)).toBe(wholeMs(1, 'abcdef01', 1));
    const others = [
      wholeMs(2, 'abcdef01', 1),
      wholeMs(1, 'abcdef02', 1),
      wholeMs(1, 'abcdef01', 2),
    ];
    expect(new Set([wholeMs(1, 'abcdef01', 1), ...others]).size).toBe(4);
  });

  it('are spread over a stream', () => {
    const draws = { seed: 1, digest: 'ab'.repeat(32), attempt: 1 };
    const pace = planPace({ ...defaultSettings, latency: { kind: 'fixed', ms: 1000 } }, draws, 10);
    expect(pace).toEqual({ wholeMs: 1000, firstTokenMs: 100, betweenMs: 90, pieces: 10 });
    const first = { kind: 'fixed', ms: 300 } as const;
    const paced = planPace({ ...defaultSettings, first_token: first, ms_per_token: 20 }, draws, 10);
    expect(paced).toEqual({ wholeMs: 500, firstTokenMs: 300, betweenMs: 20, pieces: 10 });
  });
});
