import { resolve } from 'node:path';
import { batchOptions, lateStart, readBatchFields } from '../batch-fields.ts';
import { finishBatch } from '../finish.ts';
import { count, duration } from '../format.ts';
import { nameInput } from '../input/read-input.ts';
import { recipeOptions, tableOptions } from '../input/plan.ts';
import { outputOptions, readOutput } from '../output/write-results.ts';
import { commandToWrite } from '../reattach.ts';
import { serverOptions } from '../server.ts';
import { bulkCommand, displayOptions } from '../session.ts';
import { submitInput } from '../submit-input.ts';
import { dryRunOption, tellDryRun } from '../tell-dry-run.ts';
import { watchBatch } from '../watch-batch.ts';

const help = {
  usage: 'run INPUT [-o OUTPUT] [flags]',
  about: [
    "Submits a bulk run, watches it, and writes its results in the order of the input. INPUT is a file of OpenAI's batch lines (.jsonl), a spreadsheet (.csv, .tsv) or one prompt a line (.txt); - is the standard input. Ctrl-C detaches: the batch goes on, and the command that comes back to it is printed. The same command again, within 24 hours, takes up the same batch.",
    'Ends with 0 when every request succeeded, 3 when some failed, 4 when the batch failed, expired or was cancelled, 2 when the command line or the input is wrong, 1 for other errors, 130 after Ctrl-C.',
  ],
  words: { least: 1, most: 1, names: 'INPUT' },
  options: {
    Results: outputOptions,
    'CSV and plain text': { ...recipeOptions, ...tableOptions },
    Batch: batchOptions,
    'This command': {
      ...dryRunOption,
      new: { about: 'submit it anew, also if the same run was submitted before' },
      json: { about: 'the settled batch on the standard output, as JSON' },
      ...displayOptions,
      ...serverOptions,
    },
  },
  examples: [
    'nightshift run requests.jsonl -o answers.jsonl',
    "nightshift run reviews.csv -o answers.csv --model gpt-4o-mini --prompt 'Sum up: {{review}}'",
    'nightshift run prompts.txt --model gpt-4o-mini --quiet-hours 22:00-06:00 > answers.jsonl',
  ],
};

export const runRun = bulkCommand(help, async (session) => {
  const { line, clock, say, self } = session;
  const fields = readBatchFields(line, clock.now());
  const late = lateStart(fields, clock.now());
  const named = nameInput(line);
  const isDryRun = line.has('dry-run');
  // Looked at before the input, which may take a while.
  const output = isDryRun ? null : await readOutput(session, '-', named.name, named.rows);
  const place = line.one('output') ?? '-';
  try {
    const input = await named.prepare(session.signal);
    if (isDryRun) return await tellDryRun(session, input, fields);
    session.onInterrupt('Stopped; the same command, given again, goes on from here.');
    say(`${input.name}: ${count(input.requests)} requests for ${input.endpoint}`);
    if (late !== null) say(late);
    const { batch, isReplay } = await submitInput(
      session,
      input,
      fields,
      line.has('new')
        ? { kind: 'new' }
        : { kind: 'derived', output: place === '-' ? '-' : resolve(place) },
    );
    const again = commandToWrite(self, ['watch', batch.id], line, output);
    session.onInterrupt(`Detached; ${batch.id} goes on. To come back to it:\n  ${again}`);
    say(
      isReplay
        ? `${batch.id}: this run was submitted ${duration(clock.now() - batch.created_at * 1000)} ago, and is taken up again; --new submits it anew`
        : `${batch.id} was submitted`,
    );
    return await finishBatch(session, await watchBatch(batch.id, session), output);
  } finally {
    await named.dispose();
  }
});
