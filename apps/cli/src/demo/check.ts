import type { BatchView } from '@nightshift/shared/http';
import { findStrangeCalls, type Call, type Death } from './calls.ts';
import type { Errand } from './errands.ts';
import type { AnswerBody, ResultLine } from './results.ts';
import type { SampleLine } from './sample/sample.ts';

export interface Evidence {
  lines: readonly SampleLine[];
  batch: BatchView;
  output: readonly ResultLine[];
  failures: readonly ResultLine[];
  errands: readonly Errand[];
  /** What the provider received, or null when it keeps no such record for us. */
  ledger: readonly Call[] | null;
  /** Of a worker; null when none was killed. */
  death: Death | null;
}

/** What did not go as promised, one line each; empty when all did. */
export function findProblems(evidence: Evidence): string[] {
  const { ledger, death } = evidence;
  return [
    ...findWrongBatch(evidence),
    ...findWrongRecords(evidence),
    ...findWrongResults(evidence),
    ...findWrongUsage(evidence),
    ...findWrongErrands(evidence),
    ...(ledger === null ? [] : [...findStrayAnswers(evidence, ledger)]),
    ...(ledger === null ? [] : findStrangeCalls(ledger, death)),
  ];
}

function findWrongBatch({ batch, lines, output, failures }: Evidence): string[] {
  const { total, completed, failed } = batch.request_counts;
  return [
    batch.status !== 'completed' && `${batch.id} is ${batch.status}; expected completed`,
    total !== lines.length && `the batch counts ${total} lines; the input has ${lines.length}`,
    completed !== output.length &&
      `the batch counts ${completed} completed; its output file has ${output.length} lines`,
    failed !== failures.length &&
      `the batch counts ${failed} failed; its error file has ${failures.length} lines`,
  ].filter((problem) => problem !== false);
}

/** Each custom id exactly once over the two files, and none that was not sent. */
function findWrongRecords({ lines, output, failures }: Evidence): string[] {
  const records = new Map<string, number>(lines.map(({ customId }) => [customId, 0]));
  const strangers: string[] = [];
  for (const { custom_id: id } of [...output, ...failures]) {
    const seen = records.get(id);
    if (seen === undefined) strangers.push(`${id} has a result and was never sent`);
    else records.set(id, seen + 1);
  }
  const wrong = [...records].filter(([, times]) => times !== 1);
  return [...strangers, ...wrong.map(([id, times]) => `${id} has ${times} results; expected 1`)];
}

function findWrongResults({ lines, output, failures }: Evidence): string[] {
  const expected = new Map(lines.map(({ customId, expect }) => [customId, expect]));
  const problems: string[] = [];
  for (const line of output) {
    if (expected.get(line.custom_id)?.kind === 'refused') {
      problems.push(`${line.custom_id} was answered; it is wrong on purpose`);
    } else if (line.response?.status_code !== 200) {
      problems.push(`${line.custom_id} is in the output file with ${outcomeOf(line)}`);
    }
  }
  for (const line of failures) {
    const expect = expected.get(line.custom_id);
    const wanted = expect?.kind === 'refused' ? `${expect.status} ${expect.code}` : '200';
    const got = outcomeOf(line);
    if (got !== wanted) problems.push(`${line.custom_id} failed with ${got}; expected ${wanted}`);
  }
  return problems;
}

/** `404 model_not_found`, or the code of a line that has no answer. */
export function outcomeOf({ response, error }: ResultLine): string {
  if (response === null) return error?.code ?? 'no answer and no error';
  const code = response.body.error?.code;
  return `${response.status_code}${code == null ? '' : ` ${code}`}`;
}

/** The batch's tokens are those of its answers, each counted once. */
function findWrongUsage({ batch: { usage }, output }: Evidence): string[] {
  const sum = (tokens: (of: NonNullable<AnswerBody['usage']>) => number): number =>
    output.reduce((all, { response }) => {
      const own = response?.body.usage;
      return all + (own === undefined ? 0 : tokens(own));
    }, 0);
  const input = sum((of) => of.prompt_tokens);
  const answered = sum((of) => of.completion_tokens);
  if (input === usage.input_tokens && answered === usage.output_tokens) return [];
  return [
    `the batch counts ${usage.input_tokens} tokens in and ${usage.output_tokens} out; its answers sum up to ${input} and ${answered}`,
  ];
}

function findWrongErrands({ errands }: Evidence): string[] {
  return errands.flatMap(({ job, cancelledAtMs }) => {
    const wanted = cancelledAtMs === null ? 'completed' : 'cancelled';
    if (job.status === wanted) return [];
    const why = job.error === null ? '' : ` with ${job.error.code}: ${job.error.message}`;
    return [`${job.id} (${job.model}) is ${job.status}${why}; expected ${wanted}`];
  });
}

/** What was answered must be what the provider said to that very line or job. */
function findStrayAnswers(
  { output, errands }: Evidence,
  ledger: readonly Call[],
): Iterable<string> {
  const own = new Map(
    ledger.filter(({ outcome }) => outcome === 'ok').map((call) => [call.response_id, call.marker]),
  );
  const given = [
    ...output.map(({ custom_id: key, response }) => ({ key, answer: response?.body.id })),
    ...errands
      .filter(({ job }) => job.status === 'completed')
      .map(({ key, job }) => ({ key, answer: (job.response?.body as AnswerBody | undefined)?.id })),
  ];
  return given
    .filter(({ key, answer }) => answer === undefined || own.get(answer) !== key)
    .map(({ key }) => `${key} holds an answer that the provider did not give to it`);
}
