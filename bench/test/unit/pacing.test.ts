import { describe, expect, it } from 'vitest';
import { parseCommandStats } from '../../src/measure/redis-commands.ts';
import { meansByLabel, parseSamples, sumOf } from '../../src/measure/prometheus.ts';
import { barsOf } from '../../src/pacing/bars.ts';
import { engineFigures, limitFigures, waitsOf } from '../../src/pacing/figures.ts';
import { parsePacingOptions } from '../../src/pacing/options.ts';
import type { ChargedCall } from '../../src/pacing/provider.ts';
import { limitsIn, regimes, type Regime } from '../../src/pacing/regimes.ts';
import type { RunResult } from '../../src/pacing/result.ts';
import { createTurns, inParallel } from '../../src/pacing/schedule.ts';
import { renderBars, renderTable } from '../../src/pacing/table.ts';
import { chargeOf, createBulk, createInteractive } from '../../src/pacing/workload.ts';

const regimeOf = (name: string): Regime => {
  const regime = regimes.get(name);
  if (regime === undefined) throw new Error(`no regime ${name}`);
  return regime;
};

const call = (atMs: number, more: Partial<ChargedCall> = {}): ChargedCall => ({
  marker: `call-${atMs}`,
  atMs,
  startedMs: atMs,
  endedMs: atMs + 2000,
  chargedTokens: 1,
  ...more,
});

const result = (side: RunResult['side'], more: Partial<RunResult> = {}): RunResult => ({
  regime: 'a',
  side,
  jobs: 10,
  lost: 0,
  unfinished: 0,
  calls: 12,
  refusedShare: 0,
  limits: { utilisation: 0.99, timeOverIdeal: 1.01 },
  engine: null,
  callsPerSecondP50: 8,
  mostInFlight: 20,
  interactive: null,
  idle: null,
  redisCommands: 12.34,
  redisScripts: 3,
  pacerRoundTrips: 0.2,
  cpuMs: { workers: 0.5 },
  estimateRatio: {},
  estimateError: {},
  ...more,
});

describe('jobs', () => {
  it.each([...regimes.keys()])(
    'of %s are charged what they say, and are the same again',
    (name) => {
      const regime = regimeOf(name);
      const seconds = regime.heavy ? 1 : 60;
      const jobs = createBulk(regime, seconds, 1);
      expect(jobs.length).toBeGreaterThan(30);
      expect(createBulk(regime, seconds, 1).at(-1)).toEqual(jobs.at(-1));
      expect(new Set(jobs.map(({ marker }) => marker)).size).toBe(jobs.length);
      const charges = jobs.map(({ chargedTokens }) => chargedTokens);
      expect(charges).toEqual(jobs.map(({ body }) => chargeOf(body, regime.bytesPerToken)));
      const mean = charges.reduce((sum, charge) => sum + charge, 0) / charges.length;
      expect(mean / regime.charge.mean).toBeGreaterThan(0.8);
      expect(mean / regime.charge.mean).toBeLessThan(1.2);
    },
  );

  it('are as many as the limits let in within the time', () => {
    // A full bucket of 500, and 100 s of 500 a minute.
    expect(createBulk(regimeOf('a-requests'), 100, 1)).toHaveLength(1333);
    expect(createBulk(regimeOf('a-window-1s'), 100, 1)).toHaveLength(841);
  });

  it('that are interactive come at their share of the rate', () => {
    const arrivals = createInteractive(regimeOf('interactive-b'), 180, 1);
    // 5 % of 10,000 a minute for 144 s.
    expect(arrivals.length).toBeGreaterThan(1050);
    expect(arrivals.length).toBeLessThan(1350);
    expect(arrivals[0]?.atMs).toBeGreaterThan(18_000);
    expect(arrivals.at(-1)?.atMs).toBeLessThan(162_000);
    expect(createInteractive(regimeOf('a'), 180, 1)).toEqual([]);
  });
});

describe('figures', () => {
  const model = { ...limitsIn(regimeOf('a-requests'), 60), tokensPerMinute: null };
  const empty = { ...model, requestsPerMinute: 60, startLevel: 0 };

  it('are 1 for a caller that wastes nothing', () => {
    const calls = [1, 2, 3].map((second) => call(second * 1000));
    const figures = limitFigures(empty, calls, 0, null);
    expect(figures.utilisation).toBeCloseTo(1);
    expect(figures.timeOverIdeal).toBeCloseTo(1);
  });

  it('tell what was left lying and how long it took', () => {
    const calls = [2, 4, 6].map((second) => call(second * 1000));
    const figures = limitFigures(empty, calls, 0, null);
    expect(figures.utilisation).toBeCloseTo(0.5);
    // 8 s until the last answer; 3 s for the last admission and 2 s for its answer would have done.
    expect(figures.timeOverIdeal).toBeCloseTo(8 / 5);
  });

  it('count the time that jobs waited in vain', () => {
    const calls = [1, 2, 3].map((second) => call(second * 1000));
    const figures = limitFigures(empty, calls, 0, 30_000);
    expect(figures.utilisation).toBeCloseTo(0.1);
    expect(figures.timeOverIdeal).toBeCloseTo(6);
  });

  it('of an engine leave out the end, when nothing waits any more', () => {
    const calls = [0, 500, 1000, 2000].map((atMs) => call(atMs, { endedMs: atMs + 1000 }));
    expect(engineFigures(calls, 0, 6000, null)).toEqual({ callsPerSecond: 1.5, meanQueue: 2 });
  });

  it('of waits count a job that was never called as waiting for ever', () => {
    const accepted = new Map([
      ['call-10', 8],
      ['call-20', 21],
      ['lost', 30],
    ]);
    const waits = waitsOf(accepted, [call(10), call(20)]);
    expect(waits).toEqual({ count: 3, p50Ms: 2, p95Ms: Infinity, maxMs: Infinity });
    expect(waitsOf(new Map(), [])).toBeNull();
  });
});

describe('bars', () => {
  const missed = (name: string, results: readonly RunResult[]) =>
    barsOf(regimeOf(name), results)
      .filter(({ met }) => !met)
      .map(({ what }) => what);

  it('are met, or missed by name', () => {
    expect(missed('a', [result('nightshift')])).toEqual([]);
    expect(missed('a', [result('nightshift', { refusedShare: 0.003 })])).toEqual(['429s per call']);
    expect(missed('a-outside-20', [result('nightshift', { refusedShare: 0.003 })])).toEqual([]);
    expect(missed('a', [result('nightshift', { lost: 1, limits: null })])).toEqual([
      'utilisation',
      'time over ideal',
      'jobs lost or unfinished',
    ]);
    expect(missed('b', [result('nightshift', { pacerRoundTrips: null })])).toEqual([
      'pacer round trips/call',
    ]);
    expect(missed('interactive-a', [result('nightshift')])).toEqual([
      'interactive p95 beyond idle, ms',
    ]);
    expect(barsOf(regimeOf('a'), [result('tutorial')])).toEqual([]);
  });

  it('beside an engine are about the best fixed number', () => {
    const engine = (callsPerSecond: number, meanQueue: number) => ({
      limits: null,
      engine: { callsPerSecond, meanQueue },
    });
    const fixed = [result('fixed-64', engine(54, 0)), result('fixed-256', engine(56, 190))];
    expect(missed('engine-64', [result('nightshift', engine(54, 9)), ...fixed])).toEqual([]);
    expect(missed('engine-64', [result('nightshift', engine(53, 11)), ...fixed])).toEqual([
      'calls/s over the best fixed',
      'engine queue, mean',
    ]);
  });
});

describe('tables', () => {
  it('show the sides next to each other, and only rows that somebody has', () => {
    const text = renderTable([
      result('nightshift', { estimateRatio: { m: 1.0321 } }),
      result('cookbook', { redisCommands: null, pacerRoundTrips: null }),
    ]);
    expect(text).toMatch(/^ +nightshift +cookbook\n/);
    expect(text).toMatch(/^utilisation of the limit +0\.990 +0\.990$/m);
    expect(text).toMatch(/^Redis commands\/call +12\.3 +–$/m);
    expect(text).toMatch(/^true tokens over estimate +m 1\.032 +–$/m);
    expect(text).not.toContain('engine');
  });

  it('say of a bar what was there and whether it is met', () => {
    const bars = barsOf(regimeOf('b'), [result('nightshift', { pacerRoundTrips: null })]);
    expect(renderBars(bars)).toMatch(/^utilisation +0\.99 +≥ 0\.97 +met$/m);
    expect(renderBars(bars)).toMatch(/^pacer round trips\/call +– +≤ 0\.5 +MISSED$/m);
  });
});

describe('options', () => {
  it('have their usual values', () => {
    const options = parsePacingOptions([]);
    expect(options.sides).toEqual(['nightshift', 'tutorial', 'limiter', 'cookbook']);
    expect(options).toMatchObject({ seconds: 180, workers: 4, fixed: [64, 256], check: false });
    expect(parsePacingOptions(['--regime', 'all']).regimes).toHaveLength(regimes.size);
    const some = parsePacingOptions(['--regime', 'b,a', '--fixed', '48']);
    expect(some.regimes.map(({ name }) => name)).toEqual(['b', 'a']);
    expect(some.fixed).toEqual([48]);
  });

  it.each([
    [['--regime', 'c'], '--regime: must be "all" or of a, a-requests, '],
    [
      ['--sides', 'ours'],
      '--sides: must be of nightshift, tutorial, limiter, cookbook, got "ours"',
    ],
    [['--seconds', '1'], '--seconds: must be a whole number of at least 5, got "1"'],
    [['--fixed', ''], '--fixed: must be a whole number of at least 1, got ""'],
    [['--nonsense'], "Unknown option '--nonsense'"],
  ])('refuse %j', (args, message) => {
    expect(() => parsePacingOptions(args)).toThrow(message);
  });
});

describe('counts of others', () => {
  it('are read from INFO commandstats', () => {
    const info = `# Commandstats\r
cmdstat_evalsha:calls=12,usec=345,usec_per_call=28.75,rejected_calls=0,failed_calls=0\r
cmdstat_hset:calls=3,usec=5,usec_per_call=1.67,rejected_calls=0,failed_calls=0\r
cmdstat_client|setinfo:calls=2,usec=1,usec_per_call=0.5,rejected_calls=0,failed_calls=0\r
`;
    expect(parseCommandStats(info)).toEqual({ all: 17, scripts: 12 });
  });

  it('are read from a metrics page', () => {
    const samples = parseSamples(`# HELP a_total Something.
# TYPE a_total counter
a_total{lane="x",why="say \\"so\\""} 2
a_total{lane="y"} 3
b 0.5 1700000000
`);
    expect(samples[0]).toEqual({
      name: 'a_total',
      labels: { lane: 'x', why: String.raw`say \"so\"` },
      value: 2,
    });
    expect(sumOf(samples, 'a_total')).toBe(5);
    expect(sumOf(samples, 'b')).toBe(0.5);
    expect(sumOf(samples, 'c')).toBeNull();
    expect(meansByLabel([...samples, ...samples], 'a_total', 'lane')).toEqual({ x: 2, y: 3 });
    expect(meansByLabel(samples, 'c', 'lane')).toEqual({});
  });
});

describe('runs', () => {
  it('go so many at a time, and a failure is told after the others ended', async () => {
    let running = 0;
    let most = 0;
    const work = async (item: number): Promise<number> => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
      if (item === 13) throw new Error('unlucky');
      return item * 2;
    };
    expect(await inParallel([1, 2, 3, 4, 5], 2, work)).toEqual([2, 4, 6, 8, 10]);
    expect(most).toBe(2);
    await expect(inParallel([13, 1], 2, work)).rejects.toThrow('unlucky');
    expect(running).toBe(0);
  });

  it('take turns', async () => {
    const inTurn = createTurns();
    const done: string[] = [];
    const failing = inTurn(async () => {
      await new Promise((resolve) => setImmediate(resolve));
      done.push('first');
      throw new Error('no');
    });
    const second = inTurn(async () => void done.push('second'));
    await expect(failing).rejects.toThrow('no');
    await second;
    expect(done).toEqual(['first', 'second']);
  });
});
