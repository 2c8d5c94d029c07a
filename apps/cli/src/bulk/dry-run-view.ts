import type { BatchDryRun } from '@nightshift/shared/http';
import { clockTime, count, money } from './format.ts';

const MOST_LINES = 20;

/** What a batch would lead to, for people. */
export function dryRunView(dryRun: BatchDryRun, nowMs: number): string {
  const { request_counts: counts, estimate, errors } = dryRun;
  const cost = (usd: number | null): string => (usd === null ? 'unknown' : `about ${money(usd)}`);
  const { input_tokens: input, output_tokens: output } = estimate;
  const { finishes_at: end, in_time: inTime } = estimate;
  const late =
    inTime === false
      ? `; the window ends before, at ${clockTime(estimate.expires_at * 1000, nowMs)}`
      : '';
  const invalid = counts.invalid > 0 ? `, ${count(counts.invalid)} of them wrong` : '';
  const rows: [string, string][] = [
    ['requests', `${count(counts.total)}${invalid}`],
    ['endpoint', dryRun.endpoint],
    ['tokens', `about ${count(input)} in, at most ${count(output)} out`],
    ['cost', cost(estimate.cost_usd)],
    [
      'ends',
      end === null
        ? 'unknown: a limit is not known yet'
        : `about ${clockTime(end * 1000, nowMs)}${late}`,
    ],
    ...estimate.models.map(({ model, requests, cost_usd: usd }): [string, string] => [
      model,
      `${count(requests)} requests, cost ${cost(usd)}`,
    ]),
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
