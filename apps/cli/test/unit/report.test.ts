import { expect, test } from 'vitest';
import { report, type ReportInput } from '../../src/demo/report.ts';
import { call, settledJob, someJobs } from '../support/jobs.ts';

function input(more: Partial<ReportInput> = {}): ReportInput {
  const sample = someJobs();
  const [first, second, third, rejected] = sample as [never, never, never, never];
  const jobs = [
    settledJob(first),
    settledJob(second, { cost_usd: null, usage: null, model: 'omni-moderation-latest' }),
    settledJob(third, { cost_usd: null, model: 'sim-fail-2' }),
    settledJob(rejected, {
      status: 'failed',
      error: { code: 'provider_rejected', message: 'The provider answered 400.' },
      cost_usd: null,
      usage: null,
    }),
  ];
  return {
    sample,
    result: {
      accepted: new Map(
        sample.map(({ key }) => [key, { id: `job_${key}`, submittedAtMs: 0 }] as const),
      ),
      jobs,
      submittingMs: 345,
      durationMs: 2000,
      takeover: { jobs: 3, tookMs: 1234 },
    },
    events: new Map(jobs.map(({ id }) => [id, ['job.queued', 'job.in_progress', 'job.x']])),
    ledger: [
      call(sample[0]!.key, 1, { outcome: 'rate_limited' }),
      ...sample.map(({ key }, n) => call(key, n + 2)),
    ],
    ...more,
  };
}

const rowOf = (text: string, name: string): string =>
  new RegExp(`^  ${name} .*(\n {14}.*)*`, 'm').exec(text)?.[0].replaceAll(/\s+/g, ' ').trim() ?? '';

test('the figures: jobs, statuses, duration, the kill, calls, tokens', () => {
  const text = report(input());
  expect(rowOf(text, 'submitted')).toMatch(/^submitted 4 jobs in 0\.34 s: /);
  expect(rowOf(text, 'settled')).toBe('settled 3 completed, 1 failed');
  expect(rowOf(text, 'duration')).toBe('duration 2.0 s, 2.0 jobs per second');
  expect(rowOf(text, 'killed')).toMatch(/kill -9: its 3 jobs were taken over in 1\.2 s$/);
  expect(rowOf(text, 'attempts')).toBe(
    'attempts 5 calls at the provider: 4 first and 1 repeated: 1 after a 429',
  );
  expect(rowOf(text, 'refused')).toMatch(/^refused 1 call with 429: .* no attempt was charged$/);
  expect(rowOf(text, 'tokens')).toBe('tokens 20 in, 10 out');
});

test('an unknown price is not taken for free, and what failed costs nothing', () => {
  expect(rowOf(report(input()), 'cost')).toBe(
    'cost $0.001000; unknown for 2 jobs: 1 omni-moderation-latest (its answers tell no tokens), ' +
      '1 sim-fail-2 (no price is known)',
  );
});

test('prompts stand beside their answers, and what fails on purpose has its reason', () => {
  const text = report(input());
  expect(text).toMatch(/\n  classify +My parcel #4000 [^\n]*\n +-> for demo-\d+\n/);
  expect(text).toMatch(
    /job_demo-\d+ {2}sim-400: the provider rejects .*\n +failed after 1 attempt, provider_rejected: The provider answered 400\./,
  );
});

test('without a ledger the calls are counted from the events', () => {
  const text = report(input({ ledger: null }));
  expect(rowOf(text, 'attempts')).toBe('attempts 4 calls at the provider: 4 first and 0 repeated');
  expect(rowOf(text, 'refused')).toBe('refused no call was refused with 429');
  expect(text).not.toContain('simulated');
});

test('no line of the figures is wider than a hundred characters', () => {
  const [figures = ''] = report(input()).split('\n\n');
  for (const line of figures.split('\n')) expect(line.length).toBeLessThanOrEqual(100);
});
