import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import * as fc from 'fast-check';
import { createProgressTracker, type BatchProgress } from '../../src/bulk/progress.ts';
import { progressRecord } from '../../src/bulk/progress-line.ts';
import { progressView, wrap } from '../../src/bulk/progress-view.ts';
import { batchAt, batchView, laneView } from '../support/batches.ts';

const START_MS = 1_020_000;
const plain = { columns: 80, color: false };
const usage = { ...batchView().usage, input_tokens: 84_256, output_tokens: 3032 };

/** The figures after looks that are ten seconds apart. */
function after(...looks: ReturnType<typeof batchAt>[]): BatchProgress {
  const tracker = createProgressTracker();
  const figures = looks.map((batch, n) =>
    tracker.look({ atMs: START_MS + n * 10_000, batch, lanes: [laneView()] }),
  );
  return figures.at(-1)!;
}

test('the rate is that of the last minute, and the end is estimated from it', () => {
  expect(after(batchAt(100))).toMatchObject({ perSecond: null, estimatedEndMs: null, done: 100 });
  const second = after(batchAt(100), batchAt(180, 20));
  expect(second).toMatchObject({ perSecond: 10, done: 200, completed: 180, failed: 20 });
  expect(second.estimatedEndMs).toBe(START_MS + 10_000 + 80_000);
  const slower = after(...[0, 500, 500, 500, 500, 500, 500, 500, 560].map((n) => batchAt(n)));
  expect(slower.perSecond).toBe(1);
});

test('there is no estimate while it stands still, is paused, or has not begun', () => {
  expect(after(batchAt(100), batchAt(100))).toMatchObject({ perSecond: 0, estimatedEndMs: null });
  expect(after(batchAt(1), batchAt(9, 0, { paused: true })).estimatedEndMs).toBeNull();
  const later = after(batchAt(0, 0, { run_at: 5000 }));
  expect(later).toMatchObject({ startsAtMs: 5_000_000, estimatedEndMs: null });
  expect(after(batchAt(5), batchAt(9, 0, { run_at: 1000 })).startsAtMs).toBeNull();
});

test('a settled batch tells the rate over its time, and no limits', () => {
  const ended = after(batchAt(990, 10, { status: 'completed', completed_at: 1110 }));
  expect(ended).toMatchObject({ isSettled: true, perSecond: 10, elapsedMs: 110_000, limits: [] });
  const wrong = batchAt(0, 0, { status: 'failed', in_progress_at: null, failed_at: 1001 });
  expect(after(wrong)).toMatchObject({ isSettled: true, perSecond: null, done: 0 });
});

test('the limits are those of its model, or of busy and shut lanes when it has several', () => {
  const tracker = createProgressTracker();
  const lanes = [
    laneView(),
    laneView({ model: 'idle', in_flight: 0, queued: { interactive: 3, bulk: 0 } }),
    laneView({ model: 'shut', in_flight: 0, queued: { interactive: 0, bulk: 0 }, state: 'paused' }),
  ];
  const models = (model: string | null): string[] =>
    tracker
      .look({ atMs: START_MS, batch: batchView({ model }), lanes })
      .limits.map((limit) => limit.model);
  expect(models('gpt-4o')).toEqual(['gpt-4o']);
  expect(models(null)).toEqual(['gpt-4o', 'shut']);
});

test('a terminal shows counts, rate, tokens, cost, the estimated end and the limits', () => {
  const lines = progressView(
    after(batchAt(100), batchAt(184, 16, { usage, cost_usd: 0.00423 })),
    plain,
  );
  expect(lines.slice(0, 2)).toEqual([
    'batch_0123456789abcdef0123456789abcdef  in progress, 30 s',
    '[#######x................................] 200 of 1,000, 20 %, 16 failed',
  ]);
  expect(lines[2]).toMatch(
    /^10\.0\/s · 84\.3k tokens in, 3,032 out · \$0\.0042 · ends in about 1 min 20 s, at/,
  );
  expect(lines[3]).toBe(
    "gpt-4o: 500 requests/min, 30,000 tokens/min (the provider's), 12 in flight",
  );
  expect(lines).toHaveLength(4);
});

test('a terminal tells what holds a batch up', () => {
  const view = (more: Parameters<typeof batchView>[0], lane = {}): string => {
    const batch = batchView(more);
    const look = { atMs: START_MS, batch, lanes: [laneView(lane)] };
    return progressView(createProgressTracker().look(look), plain).join('\n');
  };
  expect(
    view({ status: 'validating', request_counts: { total: 0, completed: 0, failed: 0 } }),
  ).toBe(
    [
      'batch_0123456789abcdef0123456789abcdef  validating, 20 s',
      'the input is being checked',
      "gpt-4o: 500 requests/min, 30,000 tokens/min (the provider's), 12 in flight",
    ].join('\n'),
  );
  expect(view({ paused: true })).toContain('in progress, paused, 20 s');
  expect(view({ run_at: 2000 })).toMatch(/starts at \S*\d\d:\d\d$/m);
  const hours = { start: '22:00', end: '06:00', time_zone: 'Europe/Berlin' };
  expect(view({ quiet_hours: hours })).toContain('runs 22:00 to 06:00 Europe/Berlin');
  expect(view({}, { state: 'cooling', until: 1025, reason: 'rate_limit' })).toContain(
    'gpt-4o cools down for 5 s: rate limit',
  );
  expect(view({}, { state: 'paused', reason: 'lane_paused' })).toContain(
    'gpt-4o is paused by the provider',
  );
  const none = { requests_per_minute: null, tokens_per_minute: null, concurrency: null };
  expect(view({}, { limits: { ...none, source: 'none' } })).toContain(
    'gpt-4o: no limit known, 12 in flight',
  );
  expect(view({}, { limits: { ...none, concurrency: 8, source: 'learned' } })).toContain(
    'gpt-4o: 8 at once (learnt), 12 in flight',
  );
});

test('it says when the window ends before the batch does', () => {
  const slow = after(batchAt(1, 0, { expires_at: 1100 }), batchAt(11, 0, { expires_at: 1100 }));
  expect(progressView(slow, plain).join('\n')).toMatch(/expires first, at /);
});

test('colours are given only when asked for, and take no room', () => {
  const figures = after(batchAt(100), batchAt(184, 16));
  const colored = progressView(figures, { columns: 80, color: true });
  expect(colored.join('')).toContain('\u001B[32m#######');
  const bare = colored.map(stripVTControlCharacters);
  expect(bare).toEqual(progressView(figures, plain));
});

test('no line is wider than the terminal, however the batch stands', () => {
  const counts = fc
    .tuple(fc.nat(2_000_000), fc.nat(2_000_000), fc.nat(2_000_000))
    .map(([completed, failed, left]) => ({ total: completed + failed + left, completed, failed }));
  const model = fc.string({ maxLength: 80 });
  fc.assert(
    fc.property(
      counts,
      model,
      fc.integer({ min: 0, max: 200 }),
      (request_counts, model, columns) => {
        const batch = batchView({ request_counts, model, usage });
        const figures = createProgressTracker().look({
          atMs: START_MS,
          batch,
          lanes: [laneView({ model })],
        });
        for (const line of progressView(figures, { columns, color: false })) {
          expect(line.length).toBeLessThanOrEqual(Math.max(20, columns));
          expect(line).not.toMatch(/\p{Cc}/u);
        }
      },
    ),
  );
});

test('elsewhere a JSON line has the same figures', () => {
  const record = progressRecord(
    after(batchAt(100), batchAt(184, 16, { usage, cost_usd: 0.00423 })),
  );
  expect(JSON.parse(JSON.stringify(record))).toEqual({
    object: 'batch.progress',
    at: 1030,
    id: 'batch_0123456789abcdef0123456789abcdef',
    status: 'in_progress',
    paused: false,
    request_counts: { total: 1000, completed: 184, failed: 16 },
    percent: 20,
    per_second: 10,
    usage: { input_tokens: 84_256, output_tokens: 3032, total_tokens: 87_288 },
    cost_usd: 0.00423,
    elapsed_seconds: 30,
    estimated_end_at: 1110,
    expires_at: 87_400,
    waiting_for: null,
    limits: [
      {
        model: 'gpt-4o',
        state: 'open',
        reason: null,
        until: null,
        requests_per_minute: 500,
        tokens_per_minute: 30_000,
        concurrency: null,
        source: 'headers',
        in_flight: 12,
        reached: false,
      },
    ],
  });
});

const waitingFor = {
  reason: 'lane_paused',
  message:
    'gpt-4o at openai: 401 Incorrect API key provided (sk-…xyz). Set OPENAI_API_KEY for the workers and restart them; next try 03:14:20 UTC.',
  until: 1040,
} as const;

test('a terminal shows the full reason for waiting, and neither speed nor end', () => {
  const figures = after(batchAt(100), batchAt(200), batchAt(200, 0, { waiting_for: waitingFor }));
  expect(figures).toMatchObject({ estimatedEndMs: null, waitingFor });
  const lines = progressView(figures, { columns: 60, color: false });
  expect(lines.join(' ')).toContain(waitingFor.message);
  expect(lines.join(' ')).not.toMatch(/\/s|ends/);
  expect(lines.every((line) => line.length <= 60)).toBe(true);
  expect(progressRecord(figures)).toMatchObject({
    waiting_for: waitingFor,
    estimated_end_at: null,
  });
});

test('the reason replaces the line of its lane, and that of the input check', () => {
  const view = (more: Parameters<typeof batchView>[0], lane = {}): string => {
    const look = { atMs: START_MS, batch: batchView(more), lanes: [laneView(lane)] };
    return progressView(createProgressTracker().look(look), plain).join('\n');
  };
  const paused = { state: 'paused', reason: 'lane_paused' } as const;
  expect(view({ waiting_for: waitingFor }, paused)).not.toContain('gpt-4o is paused');
  const none = { reason: 'no_worker', message: 'No worker is alive.', until: null } as const;
  const validating = { total: 0, completed: 0, failed: 0 };
  const text = view({ status: 'validating', request_counts: validating, waiting_for: none });
  expect(text).toContain('No worker is alive.');
  expect(text).toContain('the input has not been checked yet');
  expect(view({}, { state: 'unreachable', reason: 'provider_unreachable' })).toContain(
    'gpt-4o does not answer',
  );
});

test('there is no estimate when nothing has settled for a while, whatever the speed of the last minute', () => {
  const fast = [0, 400, 500].map((n) => batchAt(n));
  expect(after(...fast).estimatedEndMs).not.toBeNull();
  expect(after(...fast, batchAt(500)).estimatedEndMs).toBeNull();
  expect(after(...fast, batchAt(500), batchAt(510)).estimatedEndMs).not.toBeNull();
  // One in thirty seconds: to wait for it is its speed.
  const slow = [0, 0, 0, 1, 1, 1].map((n) => batchAt(n));
  expect(after(...slow).estimatedEndMs).not.toBeNull();
});

test('wrapping loses no word and stays within the width', () => {
  const words = fc.array(fc.stringMatching(/^[a-z.;(]{1,30}$/), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(words, fc.integer({ min: 20, max: 100 }), (some, width) => {
      const lines = wrap(some.join(' '), width, Infinity);
      expect(lines.every((line) => line.length <= width && line !== '')).toBe(true);
      expect(lines.join('').replaceAll(' ', '')).toBe(some.join(''));
      expect(wrap(some.join(' '), width, 2).length).toBeLessThanOrEqual(2);
    }),
  );
});
