import { answerOf, cut, promptOf } from './answer.ts';
import { countCalls, waits, type Call } from './calls.ts';
import type { JobView } from './client.ts';
import { money, number, seconds, tally } from './figures.ts';
import type { SampleJob } from './kinds.ts';
import type { RunResult } from './run.ts';

export interface ReportInput {
  sample: readonly SampleJob[];
  result: RunResult;
  /** By job id, the types of its events. */
  events: ReadonlyMap<string, readonly string[]>;
  /** What the simulated provider received, or null with a real one. */
  ledger: readonly Call[] | null;
}

const INDENT = 14;
const WIDTH = 100;

/** What a run came to, ready to print. */
export function report(input: ReportInput): string {
  const sections = [figures(input), examples(input), troubles(input)];
  return sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n');
}

function figures({ sample, result, events, ledger }: ReportInput): string[] {
  const { jobs, durationMs, submittingMs, takeover } = result;
  const kinds = tally(sample.map(({ kind }) => kind));
  const rate = (jobs.length / (durationMs / 1000)).toFixed(1);
  return [
    'Results',
    row('submitted', `${sample.length} jobs in ${seconds(submittingMs)}: ${kinds}`),
    row('settled', tally(jobs.map(({ status }) => status))),
    row('duration', `${seconds(durationMs)}, ${rate} jobs per second`),
    ...(takeover === null ? [] : [row('killed', describeTakeover(takeover))]),
    ...(ledger === null ? [] : priorities(sample, result, ledger)),
    ...(ledger === null ? attempts(jobs, events) : calls(ledger)),
    row('tokens', tokens(jobs)),
    row('cost', cost(jobs)),
  ];
}

/** A name and a text that is wrapped beside it. */
function row(name: string, text: string): string {
  const lines = [''];
  for (const word of text.split(' ')) {
    const last = lines.at(-1) ?? '';
    if (last !== '' && last.length + 1 + word.length > WIDTH - INDENT) lines.push(word);
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`;
  }
  return `  ${name.padEnd(INDENT - 2)}${lines.join(`\n${' '.repeat(INDENT)}`)}`;
}

const describeTakeover = ({ jobs, tookMs }: NonNullable<RunResult['takeover']>): string =>
  `a worker was killed with kill -9: its ${number(jobs)} ${jobs === 1 ? 'job was' : 'jobs were'} taken over in ${seconds(tookMs)}`;

/** Interactive jobs were submitted while bulk jobs stood in line. */
function priorities(
  sample: readonly SampleJob[],
  { accepted }: RunResult,
  ledger: readonly Call[],
): string[] {
  const submittedAtMs = new Map([...accepted].map(([key, value]) => [key, value.submittedAtMs]));
  const waited = waits(ledger, submittedAtMs);
  const of = (priority: string): number[] =>
    sample
      .filter(({ request }) => request.priority === priority)
      .map(({ key }) => waited.get(key) ?? 0)
      .sort((a, b) => a - b);
  const interactive = of('interactive');
  const bulk = of('bulk');
  if (interactive.length === 0) return [];
  const longest = seconds(interactive.at(-1) ?? 0);
  const median = seconds(bulk[Math.floor(bulk.length / 2)] ?? 0);
  return [
    row(
      'priority',
      `interactive jobs waited at most ${longest} for their call, bulk jobs ${median} (median)`,
    ),
  ];
}

/** As the provider counted them. */
function calls(ledger: readonly Call[]): string[] {
  const { total, first, afterRefusal, afterError, afterDeath, refused } = countCalls(ledger);
  const retries = [
    `${afterError} after an error`,
    `${afterRefusal} after a 429`,
    `${afterDeath} after the kill`,
  ].filter((text) => !text.startsWith('0 '));
  const again = retries.length === 0 ? '' : `: ${retries.join(', ')}`;
  return [
    row(
      'attempts',
      `${number(total)} calls at the provider: ${number(first)} first and ${number(total - first)} repeated${again}`,
    ),
    row('refused', describeRefused(refused)),
  ];
}

/** The same from our own records, where the provider keeps none for us. */
function attempts(
  jobs: readonly JobView[],
  events: ReadonlyMap<string, readonly string[]>,
): string[] {
  const started = [...events.values()].flat().filter((type) => type === 'job.in_progress').length;
  const charged = jobs.reduce((sum, job) => sum + job.attempts, 0);
  return [
    row(
      'attempts',
      `${number(started)} calls at the provider: ${number(jobs.length)} first and ${number(started - jobs.length)} repeated`,
    ),
    row('refused', describeRefused(started - charged)),
  ];
}

const describeRefused = (count: number): string =>
  count === 0
    ? 'no call was refused with 429'
    : `${number(count)} ${count === 1 ? 'call' : 'calls'} with 429: the lane cooled down, and no attempt was charged`;

function tokens(jobs: readonly JobView[]): string {
  let input = 0;
  let output = 0;
  for (const { usage } of jobs) {
    input += usage?.input_tokens ?? 0;
    output += usage?.output_tokens ?? 0;
  }
  return `${number(input)} in, ${number(output)} out`;
}

/** Unknown is not free: what has no price is named. */
function cost(jobs: readonly JobView[]): string {
  const completed = jobs.filter(({ status }) => status === 'completed');
  const known = completed.reduce((sum, job) => sum + (job.cost_usd ?? 0), 0);
  const unknown = completed.filter((job) => job.cost_usd === null);
  if (unknown.length === 0) return money(known);
  const why = tally(
    unknown.map(({ model, usage }) =>
      usage === null ? `${model} (its answers tell no tokens)` : `${model} (no price is known)`,
    ),
  );
  return `${money(known)}; unknown for ${unknown.length} jobs: ${why}`;
}

/** The first completed job of each kind. */
function examples({ sample, result, ledger }: ReportInput): string[] {
  const byId = new Map(result.jobs.map((job) => [job.id, job]));
  const shown = new Set<string>();
  const lines = sample.flatMap((item) => {
    const job = byId.get(result.accepted.get(item.key)?.id ?? '');
    if (job?.status !== 'completed' || shown.has(item.kind) || item.kind === 'troubled') return [];
    shown.add(item.kind);
    return [
      row(item.kind, cut(promptOf(item), WIDTH - INDENT)),
      row('', cut(`-> ${answerOf(job)}`, WIDTH - INDENT)),
    ];
  });
  const title = `Some prompts and their answers${ledger === null ? '' : ' (made up by the simulated provider)'}`;
  return lines.length === 0 ? [] : [title, ...lines];
}

function troubles({ sample, result }: ReportInput): string[] {
  const byId = new Map(result.jobs.map((job) => [job.id, job]));
  const lines = sample.flatMap(({ key, onPurpose }) => {
    const job = byId.get(result.accepted.get(key)?.id ?? '');
    if (onPurpose === null || job === undefined) return [];
    const attempts = `${job.attempts} ${job.attempts === 1 ? 'attempt' : 'attempts'}`;
    return [
      `  ${job.id}  ${job.model}: ${onPurpose}`,
      `    ${job.status} after ${attempts}${job.error ? `, ${job.error.code}: ${job.error.message}` : ''}`,
    ];
  });
  return lines.length === 0 ? [] : ['Made to fail on purpose', ...lines];
}
