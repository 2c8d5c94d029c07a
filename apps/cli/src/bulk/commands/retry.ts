import { randomUUID } from 'node:crypto';
import { UsageError } from '../../flags.ts';
import type { RetryFilter } from '../client.ts';
import type { CommandLine } from '../command-line.ts';
import { exitCodes } from '../exit-codes.ts';
import { tableOptions } from '../input/plan.ts';
import { finishBatch } from '../finish.ts';
import { inputOption, outputOptions, readOutput, type Output } from '../output/write-results.ts';
import { commandToWrite } from '../reattach.ts';
import { serverOptions } from '../server.ts';
import { bulkCommand, displayOptions, type Session } from '../session.ts';
import { watchBatch } from '../watch-batch.ts';

const help = {
  usage: 'retry BATCH [flags]',
  about: [
    'Starts a new batch of the failed requests of a batch that has ended, and prints its id. Requests that succeeded are never repeated. With --watch, or -o for the results, it continues like nightshift watch.',
    '-o writes a complete output: the successes of the first batch and the results of the retry, in the order of the input. --input joins them to the rows of a spreadsheet. --alone leaves the first batch out.',
  ],
  words: { least: 1, most: 1, names: 'BATCH' },
  options: {
    Which: {
      'error-code': {
        value: 'CODE',
        about:
          'only requests that failed with this code, such as request_timeout or http_503; can be repeated',
      },
      'custom-id': { value: 'ID', about: 'only this request; can be repeated' },
    },
    Results: {
      ...outputOptions,
      alone: { about: 'only the results of the retry, without those of the first batch' },
      ...inputOption,
      ...tableOptions,
    },
    'This command': {
      watch: { short: 'w', about: 'watch the new batch until it has ended' },
      'idempotency-key': { value: 'KEY', about: 'within 24 hours the same key is the same batch' },
      json: { about: 'the whole batch in place of its id' },
      ...displayOptions,
      ...serverOptions,
    },
  },
  examples: [
    'nightshift retry batch_… -o answers.jsonl --force',
    'nightshift retry batch_… --error-code http_503 -o answered.csv --input reviews.csv',
  ],
};

export const runRetry = bulkCommand(help, async (session) => {
  const { line, client, patience, say, self, stdout } = session;
  session.onInterrupt('Stopped; perhaps it was submitted.');
  const [id = ''] = line.words;
  const output = await readRetryOutput(session);
  const filter = readFilter(line);
  const key = line.one('idempotency-key') ?? randomUUID();
  const batch = await patience.with(async () => await client.retry(id, filter, key));
  const isWatched = output !== null || line.has('watch');
  const again = commandToWrite(self, ['watch', batch.id], line, output);
  if (!isWatched) {
    stdout.write(`${line.has('json') ? JSON.stringify(batch) : batch.id}\n`);
    say(`Watch it: ${again}`);
    return exitCodes.success;
  }
  if (output?.target.name !== '-' && !line.has('json')) stdout.write(`${batch.id}\n`);
  session.onInterrupt(`Detached; ${batch.id} goes on. To come back to it:\n  ${again}`);
  return await finishBatch(session, await watchBatch(batch.id, session), output);
});

async function readRetryOutput(session: Session): Promise<Output | null> {
  const output = await readOutput(session, null, null, null);
  const isAlone = session.line.has('alone');
  if (output === null) {
    if (isAlone) throw new UsageError('--alone is for results: say where they go with -o FILE');
    return null;
  }
  return { ...output, isMerged: !isAlone };
}

function readFilter(line: CommandLine): RetryFilter | null {
  const codes = line.all('error-code');
  const ids = line.all('custom-id');
  if (codes.length === 0 && ids.length === 0) return null;
  return {
    // An older API takes only one code.
    ...(codes.length > 0 && { error_code: codes.length === 1 ? (codes[0] ?? '') : codes }),
    ...(ids.length > 0 && { custom_ids: ids }),
  };
}
