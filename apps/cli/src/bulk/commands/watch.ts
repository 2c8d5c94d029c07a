import { finishBatch } from '../finish.ts';
import { tableOptions } from '../input/plan.ts';
import { inputOption, mergedOption, outputOptions, readOutput } from '../output/write-results.ts';
import { commandToWrite } from '../reattach.ts';
import { serverOptions } from '../server.ts';
import { bulkCommand, displayOptions } from '../session.ts';
import { watchBatch } from '../watch-batch.ts';

const help = {
  usage: 'watch BATCH [-o OUTPUT] [flags]',
  about: [
    'Shows how a batch gets on until it has ended, then writes its results if -o says where. Goes on when the API is restarted. Ctrl-C detaches: the batch goes on. Ends with the codes of nightshift run.',
  ],
  words: { least: 1, most: 1, names: 'BATCH' },
  options: {
    Results: { ...outputOptions, ...mergedOption, ...inputOption, ...tableOptions },
    'This command': {
      json: { about: 'the settled batch on the standard output, as JSON' },
      ...displayOptions,
      ...serverOptions,
    },
  },
  examples: [
    'nightshift watch batch_… -o answers.jsonl',
    'nightshift watch batch_… -o answers.csv --input reviews.csv',
  ],
};

export const runWatch = bulkCommand(help, async (session) => {
  const { line, self } = session;
  const [id = ''] = line.words;
  const output = await readOutput(session, null, null, null);
  const again = commandToWrite(self, ['watch', id], line, output);
  session.onInterrupt(`Detached; ${id} goes on. To come back to it:\n  ${again}`);
  return await finishBatch(session, await watchBatch(id, session), output);
});
