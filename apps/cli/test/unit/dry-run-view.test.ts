import { expect, test } from 'vitest';
import type { BatchDryRun } from '@nightshift/shared/http';
import { dryRunView } from '../../src/bulk/dry-run-view.ts';

const NOW_MS = new Date(2026, 10, 21, 12, 0).getTime();

type Estimate = BatchDryRun['estimate'];
type Model = Estimate['models'][number];

const basis = {
  output_basis: { source: 'learned', answers: 1204, message: 'learned from 1,204 earlier answers' },
  finish_basis: { source: 'reached', message: 'at 120 results a minute, measured for m' },
} as const;
const known = {
  ...{ input_tokens: 400_000, output_tokens: 2_000_000, cost_usd: 8.4, unlimited_requests: 0 },
  likely: { output_tokens: 600_000, cost_usd: 3.2 },
  at_most: { output_tokens: 2_000_000, cost_usd: 8.4 },
};

const model = (more: Partial<Model> = {}): Model => ({
  ...{ model: 'm', requests: 20_000, minutes: 10 },
  ...known,
  ...basis,
  ...more,
});

function view(estimate: Partial<Estimate> = {}, more: Partial<BatchDryRun> = {}): string {
  return dryRunView(
    {
      ...{ object: 'batch.dry_run', endpoint: '/v1/responses', completion_window: '24h' },
      ...{ valid: true, errors: null, warnings: [] },
      request_counts: { total: 20_000, valid: 20_000, invalid: 0, duplicates: 0 },
      ...more,
      estimate: {
        ...known,
        ...basis,
        known: { requests: 20_000, cost_usd: 3.2 },
        ...{ sampled: false, in_time: true, models: [model()] },
        finishes_at: NOW_MS / 1000 + 600,
        expires_at: NOW_MS / 1000 + 86_400,
        ...estimate,
      },
    },
    NOW_MS,
  );
}

test('known values are shown in a few lines', () => {
  expect(view()).toBe(
    [
      'requests  20,000',
      'endpoint  /v1/responses',
      'tokens    about 400,000 in; out likely 600,000, at most 2,000,000',
      'output    learned from 1,204 earlier answers',
      'cost      likely $3.20, at most $8.40',
      'ends      about 12:10, at 120 results a minute, measured for m',
      'm         20,000 requests, likely $3.20',
      'Nothing was started.',
    ].join('\n'),
  );
});

test('missing bounds and prices are named', () => {
  const text = view({
    ...{ unlimited_requests: 40, at_most: { output_tokens: null, cost_usd: null } },
    likely: { output_tokens: 600_000, cost_usd: null },
    known: { requests: 19_000, cost_usd: 3.2 },
    models: [model(), model({ model: 'x', likely: { output_tokens: 9, cost_usd: null } })],
  });
  expect(text).toMatch(
    /^tokens .*; out likely 600,000, no upper bound, since 40 requests set none$/m,
  );
  expect(text).toMatch(
    /^cost +unknown: no price is known for 21,000 of 40,000 requests; the others likely \$3\.20$/m,
  );
  expect(text).toMatch(/^x +20,000 requests, no price is known$/m);
  const open = view({ unlimited_requests: 1, at_most: { output_tokens: null, cost_usd: null } });
  expect(open).toMatch(/no upper bound, since 1 request sets none$/m);
  expect(open).toMatch(/^cost +likely \$3\.20, no upper bound$/m);
  const none = {
    likely: { output_tokens: 9, cost_usd: null },
    known: { requests: 0, cost_usd: 0 },
  };
  expect(view(none)).toMatch(/^cost +unknown: no price is known for 20,000 of 20,000 requests$/m);
});

test('duplicates, warnings, bad lines and an end that comes too late', () => {
  const text = view(
    { in_time: false },
    {
      valid: false,
      request_counts: { total: 20_001, valid: 20_000, invalid: 1, duplicates: 1204 },
      errors: {
        ...{ object: 'list', count: 1 },
        data: [{ code: 'x', message: 'This line is bad.', param: null, line: 7 }],
      },
      warnings: [
        {
          ...{ code: 'unknown_model', model: 'gpt-4o-mimi', suggestion: 'gpt-4o-mini' },
          message: 'gpt-4o-mimi: no price, no earlier call; did you mean gpt-4o-mini?',
        },
      ],
    },
  );
  expect(text).toMatch(/^requests +20,001, 1 of them wrong$/m);
  expect(text).toMatch(/^duplicates +1,204 of 20,000 lines are identical to an earlier one$/m);
  expect(text).toMatch(/^warning +gpt-4o-mimi: no price, .*did you mean gpt-4o-mini\?$/m);
  expect(text).toMatch(/^ends .*; the completion window ends first, at Nov 22, 12:00$/m);
  expect(text).toMatch(/^line 7: This line is bad\.\nNothing was started; it would fail\.$/m);
});

test('no end is shown while a lane is paused', () => {
  const message = 'm at openai is paused: 401 Incorrect API key; next try in 40 s';
  const finish = { source: 'standing_still', message } as const;
  expect(view({ finishes_at: null, in_time: null, finish_basis: finish })).toMatch(
    /^ends +unknown: m at openai is paused: 401 Incorrect API key; next try in 40 s$/m,
  );
});
