import { count, money } from '../bulk/format.ts';
import { callsByKey, countCalls, type Call } from './calls.ts';
import { describeTakeover } from './harm.ts';
import type { Night } from './night.ts';
import { row } from './wrap.ts';

export interface FiguresInput {
  night: Night;
  /** What the simulated provider received, or null with a real one. */
  ledger: readonly Call[] | null;
}

/** A night in figures, ready to print. */
export function figures({ night, ledger }: FiguresInput): string[] {
  const { batch, output, failures, takeover, outage, durationMs } = night;
  const { usage, request_counts: counts, cost_usd: cost } = batch;
  const rate = (counts.total / (durationMs / 1000)).toFixed(1);
  const rows: [name: string, text: string | null][] = [
    [
      'lines',
      `${count(counts.total)} submitted: ${count(output.length)} answered, ${count(failures.length)} failed`,
    ],
    ['jobs', jobs(night, ledger)],
    ['duration', `${seconds(durationMs)}, ${rate} lines per second`],
    ['limits', limits(night)],
    ['killed', takeover && `a worker: ${describeTakeover(takeover)}`],
    ['', outage && `Redis: it was away for ${seconds(outage.tookMs)}`],
    ...(ledger === null ? [callsOf(night)] : attempts(ledger)),
    ['tokens', `${count(usage.input_tokens)} in, ${count(usage.output_tokens)} out`],
    ['cost', cost === null ? 'unknown: a model has no known price' : money(cost)],
  ];
  return ['Results', ...rows.flatMap(([name, text]) => (text === null ? [] : [row(name, text)]))];
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

/** Urgent jobs came in while lines of the same model stood in line. */
function jobs({ errands, batch }: Night, ledger: readonly Call[] | null): string | null {
  if (errands.length === 0 || ledger === null) return null;
  const calls = callsByKey(ledger);
  const waitOf = (key: string, fromMs: number): number =>
    Math.max(0, (calls.get(key)?.[0]?.at_ms ?? fromMs) - fromMs);
  const urgent = errands.filter(({ cancelledAtMs }) => cancelledAtMs === null);
  const longest = Math.max(...urgent.map(({ key, submittedAtMs }) => waitOf(key, submittedAtMs)));
  const beside = new Set(errands.map(({ key }) => key));
  const waits = [...calls.keys()]
    .filter((key) => !beside.has(key))
    .map((key) => waitOf(key, batch.created_at * 1000))
    .sort((left, right) => left - right);
  const median = waits[Math.floor(waits.length / 2)] ?? 0;
  const cancelled = errands.length - urgent.length;
  return `${errands.length} beside them: ${urgent.length} urgent ones waited at most ${(longest / 1000).toFixed(2)} s for their call, lines ${seconds(median)} (median); ${cancelled} was cancelled`;
}

/** What the provider's headers told, and no configuration. */
function limits({ lanes }: Night): string | null {
  const told = lanes.flatMap(({ model, limits: { source, ...limit } }) => {
    const texts = [
      limit.requests_per_minute !== null && `${count(limit.requests_per_minute)} requests/min`,
      limit.tokens_per_minute !== null && `${count(limit.tokens_per_minute)} tokens/min`,
    ].filter((text) => text !== false);
    return source === 'headers' && texts.length > 0 ? [`${model} ${texts.join(' and ')}`] : [];
  });
  return told.length === 0 ? null : `read from the provider's headers: ${told.join(', ')}`;
}

/** What is known where the provider counts for nobody: each result took a call, and the lanes may know of more. */
function callsOf({ lanes, batch }: Night): [name: string, text: string] {
  const calls = lanes.reduce((sum, lane) => sum + lane.calls_last_minute, 0);
  const refused = lanes.reduce((sum, lane) => sum + lane.refused_last_minute, 0);
  return [
    'attempts',
    `at least ${count(Math.max(calls, batch.request_counts.total))} calls, ${count(refused)} of them refused with 429`,
  ];
}

/** As the provider counted them. */
function attempts(ledger: readonly Call[]): [name: string, text: string][] {
  const { total, first, afterRefusal, afterError, afterDeath, refused } = countCalls(ledger);
  const reasons = [
    [afterError, 'after an error'],
    [afterRefusal, 'after a 429'],
    [afterDeath, 'after the kill'],
  ] as const;
  const why = reasons.filter(([times]) => times > 0).map(([times, text]) => `${times} ${text}`);
  const all = `${count(total)} calls at the provider: ${count(first)} first and ${count(total - first)} repeated`;
  const share = ((refused / total) * 100).toFixed(1);
  return [
    ['attempts', [all, ...why].join(', ')],
    [
      'refused',
      refused === 0
        ? 'no call was refused with 429'
        : `${count(refused)} ${refused === 1 ? 'call' : 'calls'} with 429 (${share} %): what a wait can help waited, and was charged no attempt`,
    ],
  ];
}
