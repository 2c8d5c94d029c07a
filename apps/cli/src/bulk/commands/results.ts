import { isBatchSettled } from '@nightshift/shared/batch';
import { UsageError } from '../../flags.ts';
import { CommandError, exitCodes } from '../exit-codes.ts';
import { count } from '../format.ts';
import { problemsOf } from '../finish.ts';
import { tableOptions } from '../input/plan.ts';
import {
  inputOption,
  mergedOption,
  outputOptions,
  readOutput,
  writeResults,
} from '../output/write-results.ts';
import { serverOptions } from '../server.ts';
import { bulkCommand, displayOptions } from '../session.ts';

const { quiet } = displayOptions;

const help = {
  usage: 'results BATCH [-o OUTPUT] [flags]',
  about: [
    'Writes the results of a batch, those that failed too, in the order of the input. While it runs these are the ones up to the first request without a result; --order completion has all that are there.',
  ],
  words: { least: 1, most: 1, names: 'BATCH' },
  options: {
    Results: {
      ...outputOptions,
      order: {
        value: 'ORDER',
        about: 'input, or completion: first what succeeded, then what failed',
      },
      ...mergedOption,
      ...inputOption,
      ...tableOptions,
    },
    'This command': { ...(quiet && { quiet }), ...serverOptions },
  },
  examples: ["nightshift results batch_… | jq -r '.response.body.choices[0].message.content'"],
};

export const runResults = bulkCommand(help, async (session) => {
  const { line, client, patience, say } = session;
  session.onInterrupt('Stopped; nothing was written.');
  const [id = ''] = line.words;
  const order = readOrder(line.one('order'));
  if (order === 'completion' && line.has('merged')) {
    throw new UsageError('--merged is for the order of the input, not for --order completion');
  }
  const output = await readOutput(session, '-', null, null);
  const batch = await patience.with(async () => await client.batch(id));
  if (batch.status === 'failed') {
    const why = problemsOf(batch).join('\n');
    console.error(`nightshift results: ${id} has no results: its input is wrong\n${why}`);
    return exitCodes.batchFailed;
  }
  if (output === null) throw new CommandError('there is nowhere to write to');
  await writeResults(session, batch, output, order);
  const { total, completed, failed } = batch.request_counts;
  if (!isBatchSettled(batch.status)) {
    say(
      `${id} is ${batch.status.replace('_', ' ')}, with ${count(completed + failed)} of ${count(total)} results: these are not all`,
    );
  }
  return exitCodes.success;
});

function readOrder(given = 'input'): 'input' | 'completion' {
  if (given === 'input' || given === 'completion') return given;
  throw new UsageError(`--order must be input or completion, got ${JSON.stringify(given)}`);
}
