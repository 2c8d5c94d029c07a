import type { BatchView } from '@nightshift/shared/http';
import { count, duration, money } from './format.ts';
import { exitCodeOf, exitCodes } from './exit-codes.ts';
import { adviceOn } from './advice.ts';
import { commandFor, commandToWrite, rowsOf, shellWord } from './reattach.ts';
import { writeResults, type Output } from './output/write-results.ts';
import type { Session } from './session.ts';

const MOST_GROUPS = 5;
const MOST_LINES = 20;

/** What comes after the end of a batch: its results, what it came to, and what went wrong. Resolves with the exit code. */
export async function finishBatch(
  session: Session,
  batch: BatchView,
  output: Output | null,
): Promise<number> {
  const { self, line, say, stdout } = session;
  if (output !== null && batch.status !== 'failed') {
    const again = commandToWrite(self, ['results', batch.id], line, output);
    session.onInterrupt(`Stopped; ${batch.id} has ended, and its results are there:\n  ${again}`);
    await writeResults(session, batch, output);
  }
  const exitCode = exitCodeOf(batch);
  const summary = [summaryOf(batch), ...problemsOf(batch)].join('\n');
  // What did not go well is told also to who wants to hear nothing else.
  if (exitCode === exitCodes.success) say(summary);
  else console.error(summary);
  if (batch.request_counts.failed > 0 && batch.status !== 'failed')
    await tellFailures(session, batch, output);
  if (output !== null && output.target.name !== '-' && batch.status !== 'failed') {
    say(`Results: ${output.target.name}`);
  }
  if (line.has('json')) stdout.write(`${JSON.stringify(batch)}\n`);
  return exitCode;
}

function summaryOf(batch: BatchView): string {
  const { id, status, request_counts: counts, usage, cost_usd: cost } = batch;
  if (status === 'failed') return `${id} failed: its input is wrong`;
  const endedAt = batch.completed_at ?? batch.expired_at ?? batch.cancelled_at ?? batch.created_at;
  return [
    `${id} ${status}: ${count(counts.completed)} of ${count(counts.total)} requests succeeded`,
    ...(counts.failed > 0 ? [`${count(counts.failed)} failed`] : []),
    `${count(usage.input_tokens)} tokens in, ${count(usage.output_tokens)} out`,
    cost === null ? 'cost unknown' : money(cost),
    duration((endedAt - batch.created_at) * 1000),
  ].join(', ');
}

/** The lines of an input that the server did not take. */
export function problemsOf({ errors }: BatchView): string[] {
  if (errors === null) return [];
  const lines = errors.data
    .slice(0, MOST_LINES)
    .map(({ line, message }) => (line === null ? `  ${message}` : `  line ${line}: ${message}`));
  const more = errors.count - lines.length;
  return more > 0 ? [...lines, `  and ${count(more)} more`] : lines;
}

async function tellFailures(
  session: Session,
  { id }: BatchView,
  output: Output | null,
): Promise<void> {
  const { client, patience, say } = session;
  const { data } = await patience.with(async () => await client.errors(id));
  for (const { count: times, code, status_code: status, message } of data.slice(0, MOST_GROUPS)) {
    const what = status === null ? code : `${status} ${code}`;
    say(`  ${count(times)} × ${what}: ${message.replaceAll(/\p{Cc}+/gu, ' ')}`);
  }
  if (data.length > MOST_GROUPS) say(`  and ${data.length - MOST_GROUPS} more kinds of errors`);
  const { changes, retryable, failed, retryCodes } = adviceOn(data);
  for (const change of changes) say(change);
  if (retryable === 0) return;
  const command = retryCommand(session, id, output);
  if (retryable === failed) say(`Retry only these: ${command}`);
  else {
    const codes = retryCodes.map((code) => `--error-code ${shellWord(code)}`).join(' ');
    say(`Retry the other ${count(retryable)}: ${command} ${codes}`);
  }
}

/** Keeps the output name: `retry` replaces the file with one that holds the earlier successes and the results of the retry. */
function retryCommand({ self, line }: Session, id: string, output: Output | null): string {
  const command = commandFor(self, ['retry', id], line, rowsOf(output));
  const isFile = output !== null && output.target.name !== '-';
  return isFile && !line.has('force') ? `${command} --force` : command;
}
