import type { BatchDryRun } from '@nightshift/shared/http';
import { clockTime, count, money } from './format.ts';

const MOST_LINES = 20;

type Row = [name: string, text: string];

/** What a batch would lead to, for people. */
export function dryRunView(dryRun: BatchDryRun, nowMs: number): string {
  const { request_counts: counts, estimate, errors, warnings } = dryRun;
  const invalid = counts.invalid > 0 ? `, ${count(counts.invalid)} of them wrong` : '';
  const rows: Row[] = [
    ['requests', `${count(counts.total)}${invalid}`],
    ['endpoint', dryRun.endpoint],
    ...duplicatesRow(counts),
    ['tokens', tokensText(estimate)],
    ['output', estimate.output_basis.message],
    ['cost', costText(estimate)],
    ['ends', endText(estimate, nowMs)],
    ...estimate.models.map(({ model, requests, likely }): Row => {
      const { cost_usd: usd } = likely;
      const cost = usd === null ? 'no price is known' : `likely ${money(usd)}`;
      return [model, `${count(requests)} ${requests === 1 ? 'request' : 'requests'}, ${cost}`];
    }),
    ...warnings.map(({ message }): Row => ['warning', message]),
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  const wrong = (errors?.data ?? [])
    .slice(0, MOST_LINES)
    .map(({ line, message }) => (line === null ? message : `line ${line}: ${message}`));
  return [
    ...rows.map(([name, text]) => `${name.padEnd(width)}  ${text}`),
    ...wrong,
    dryRun.valid ? 'Nothing was started.' : 'Nothing was started; it would fail.',
  ].join('\n');
}

function duplicatesRow({ duplicates, valid }: BatchDryRun['request_counts']): Row[] {
  if (duplicates === 0) return [];
  const are = duplicates === 1 ? 'line is' : 'lines are';
  return [
    ['duplicates', `${count(duplicates)} of ${count(valid)} ${are} identical to an earlier one`],
  ];
}

function tokensText(estimate: BatchDryRun['estimate']): string {
  const { input_tokens: input, likely, at_most: atMost, unlimited_requests: open } = estimate;
  const bound =
    atMost.output_tokens === null
      ? `no upper bound, since ${count(open)} ${open === 1 ? 'request sets' : 'requests set'} none`
      : `at most ${count(atMost.output_tokens)}`;
  return `about ${count(input)} in; out likely ${count(likely.output_tokens)}, ${bound}`;
}

function costText({ likely, at_most: atMost, known, models }: BatchDryRun['estimate']): string {
  if (likely.cost_usd !== null) {
    const bound = atMost.cost_usd === null ? 'no upper bound' : `at most ${money(atMost.cost_usd)}`;
    return `likely ${money(likely.cost_usd)}, ${bound}`;
  }
  const all = models.reduce((sum, { requests }) => sum + requests, 0);
  const rest = `no price is known for ${count(all - known.requests)} of ${count(all)} requests`;
  return known.requests === 0
    ? `unknown: ${rest}`
    : `unknown: ${rest}; the others likely ${money(known.cost_usd)}`;
}

function endText(estimate: BatchDryRun['estimate'], nowMs: number): string {
  const { finishes_at: end, in_time: inTime, finish_basis: basis, expires_at: expires } = estimate;
  if (end === null) return `unknown: ${basis.message}`;
  const late =
    inTime === false
      ? `; the completion window ends first, at ${clockTime(expires * 1000, nowMs)}`
      : '';
  return `about ${clockTime(end * 1000, nowMs)}, ${basis.message}${late}`;
}
