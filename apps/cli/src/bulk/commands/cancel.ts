import { exitCodes } from '../exit-codes.ts';
import { serverOptions } from '../server.ts';
import { bulkCommand, displayOptions } from '../session.ts';
import { watchBatch } from '../watch-batch.ts';

const help = {
  usage: 'cancel BATCH… [flags]',
  about: [
    'Cancels batches. No new call starts; those in flight have 30 seconds to come back and are kept, as is every result that is there. Can be repeated.',
  ],
  words: { least: 1, most: 100, names: 'BATCH' },
  options: {
    'This command': {
      wait: { about: 'until they have ended' },
      json: { about: 'the batches as JSON, one a line' },
      ...displayOptions,
      ...serverOptions,
    },
  },
};

export const runCancel = bulkCommand(help, async (session) => {
  const { line, client, patience, stdout } = session;
  session.onInterrupt('Stopped.');
  for (const id of line.words) {
    const asked = await patience.with(async () => await client.cancel(id));
    const batch = line.has('wait') ? await watchBatch(id, session) : asked;
    stdout.write(`${line.has('json') ? JSON.stringify(batch) : `${id} ${batch.status}`}\n`);
  }
  return exitCodes.success;
});
