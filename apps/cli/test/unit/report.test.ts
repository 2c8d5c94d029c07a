import { expect, test } from 'vitest';
import { describeErrands } from '../../src/demo/errands.ts';
import { report } from '../../src/demo/report.ts';
import { call, goodNight } from '../support/night.ts';

const rowOf = (text: string, name: string): string =>
  new RegExp(`^  ${name} .*(\n {14}.*)*`, 'm').exec(text)?.[0].replaceAll(/\s+/g, ' ').trim() ?? '';

test('the figures: lines, jobs, duration, limits, kills, calls, tokens, cost', () => {
  const { lines, night, ledger } = goodNight();
  const again = call('urgent', 7, { outcome: 'rate_limited', at_ms: 1_000_020 });
  const text = report({ lines, night, ledger: [again, ...ledger] });
  expect(rowOf(text, 'lines')).toBe('lines 4 submitted: 3 answered, 1 failed');
  expect(rowOf(text, 'jobs')).toBe(
    'jobs 2 beside them: 1 urgent ones waited at most 0.02 s for their call, lines 3.0 s (median); 1 was cancelled',
  );
  expect(rowOf(text, 'duration')).toBe('duration 2.0 s, 2.0 lines per second');
  expect(rowOf(text, 'limits')).toBe(
    "limits read from the provider's headers: gpt-4o-mini 500 requests/min and 30,000 tokens/min",
  );
  expect(rowOf(text, 'killed')).toBe(
    'killed a worker: its 2 calls were made again by the others within 1.2 s Redis: it was away for 0.3 s',
  );
  expect(rowOf(text, 'attempts')).toBe(
    'attempts 7 calls at the provider: 6 first and 1 repeated, 1 after a 429',
  );
  expect(rowOf(text, 'refused')).toMatch(/^refused 1 call with 429 \(14\.3 %\): /);
  expect(rowOf(text, 'tokens')).toBe('tokens 30 in, 15 out');
  expect(rowOf(text, 'cost')).toBe('cost $0.012');
});

test('what a real provider does not tell is not made up', () => {
  const { lines, night } = goodNight();
  const undisturbed = { ...night, errands: [], takeover: null, outage: null, lanes: [] };
  const batch = { ...night.batch, cost_usd: null };
  const text = report({ lines, night: { ...undisturbed, batch }, ledger: null });
  for (const name of ['jobs', 'killed', 'limits', 'refused']) expect(rowOf(text, name)).toBe('');
  expect(rowOf(text, 'attempts')).toBe('attempts at least 4 calls, 0 of them refused with 429');
  expect(rowOf(text, 'cost')).toBe('cost unknown: a model has no known price');
  expect(text).not.toContain('simulated');
});

test('prompts stand beside their answers, and what fails on purpose has its reason', () => {
  const text = report(goodNight());
  expect(text).toMatch(
    /\n {2}triage-0001 +Hello, The brass desk lamp [^\n]*…\n +-> for triage-0001\n/,
  );
  expect(rowOf(text, '1 ×')).toBe(
    '1 × 400 decimal_above_max_value: a temperature that no model takes hot-0001: "But got 3 instead."',
  );
});

test('no line is wider than eighty characters', () => {
  for (const line of report(goodNight()).split('\n')) expect(line.length).toBeLessThanOrEqual(80);
});

test('the jobs beside the batch are told in two lines', () => {
  expect(describeErrands(goodNight().night.errands)).toEqual([
    '1 urgent jobs overtook the waiting lines: answered in 1.0 to 1.0 s',
    '1 job was called off while the provider was busy with it',
  ]);
});
