import { randomUUID } from 'node:crypto';
import { exitCodes } from '../exit-codes.ts';
import { finishBatch } from '../finish.ts';
import { outputOptions, readOutput } from '../output/write-results.ts';
import { commandFor } from '../reattach.ts';
import { serverOptions } from '../server.ts';
import { bulkCommand, displayOptions } from '../session.ts';
import { watchBatch } from '../watch-batch.ts';

const help = {
  usage: 'retry BATCH [flags]',
  about: [
    'Starts a new batch of what failed in one that has ended, and prints its id. What succeeded is never done again. With --watch, or -o for its results, it goes on as nightshift watch does.',
  ],
  words: { least: 1, most: 1, names: 'BATCH' },
  options: {
    Which: {
      'error-code': {
        value: 'CODE',
        about: 'only what failed with it, such as rate_limit_exceeded or http_400',
      },
      'custom-id': { value: 'ID', about: 'only this request; can be repeated' },
    },
    Results: outputOptions,
    'This command': {
      watch: { short: 'w', about: 'watch the new batch until it has ended' },
      'idempotency-key': { value: 'KEY', about: 'within 24 hours the same key is the same batch' },
      json: { about: 'the whole batch in place of its id' },
      ...displayOptions,
      ...serverOptions,
    },
  },
  examples: ['nightshift retry batch_… --error-code http_400 -o mended.jsonl'],
};

export const runRetry = bulkCommand(help, async (session) => {
  const { line, client, patience, say, self, stdout } = session;
  session.onInterrupt('Stopped; perhaps it was submitted.');
  const [id = ''] = line.words;
  const output = await readOutput(session, null, null, null);
  const code = line.one('error-code');
  const ids = line.all('custom-id');
  const filter = {
    ...(code !== undefined && { error_code: code }),
    ...(ids.length > 0 && { custom_ids: ids }),
  };
  const key = line.one('idempotency-key') ?? randomUUID();
  const some = Object.keys(filter).length > 0 ? filter : null;
  const batch = await patience.with(async () => await client.retry(id, some, key));
  const isWatched = output !== null || line.has('watch');
  const again = commandFor(self, ['watch', batch.id], line, null);
  if (!isWatched) {
    stdout.write(`${line.has('json') ? JSON.stringify(batch) : batch.id}\n`);
    say(`Watch it: ${again}`);
    return exitCodes.success;
  }
  if (output?.target.name !== '-' && !line.has('json')) stdout.write(`${batch.id}\n`);
  session.onInterrupt(`Detached; ${batch.id} goes on. To come back to it:\n  ${again}`);
  return await finishBatch(session, await watchBatch(batch.id, session), output);
});
