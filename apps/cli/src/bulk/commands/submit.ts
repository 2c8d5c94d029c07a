import { batchOptions, lateStart, readBatchFields } from '../batch-fields.ts';
import { exitCodes } from '../exit-codes.ts';
import { count } from '../format.ts';
import { nameInput } from '../input/read-input.ts';
import { recipeOptions, tableOptions } from '../input/plan.ts';
import { commandFor } from '../reattach.ts';
import { serverOptions } from '../server.ts';
import { bulkCommand, displayOptions } from '../session.ts';
import { submitInput } from '../submit-input.ts';
import { dryRunOption, tellDryRun } from '../tell-dry-run.ts';

const { quiet } = displayOptions;

const help = {
  usage: 'submit INPUT [flags]',
  about: [
    'Submits a bulk run and prints the id of its batch. INPUT is as for nightshift run. Every call makes a new batch, unless --idempotency-key names one that was made before.',
  ],
  words: { least: 1, most: 1, names: 'INPUT' },
  options: {
    'CSV and plain text': { ...recipeOptions, ...tableOptions },
    Batch: batchOptions,
    'This command': {
      ...dryRunOption,
      'idempotency-key': { value: 'KEY', about: 'within 24 hours the same key is the same batch' },
      json: { about: 'the whole batch in place of its id' },
      ...(quiet && { quiet }),
      ...serverOptions,
    },
  },
  examples: [
    'nightshift submit requests.jsonl --completion-window 12h --metadata team=search',
    'nightshift submit requests.jsonl --dry-run',
  ],
};

export const runSubmit = bulkCommand(help, async (session) => {
  const { line, clock, say, self, stdout } = session;
  const fields = readBatchFields(line, clock.now());
  const late = lateStart(fields, clock.now());
  const named = nameInput(line);
  try {
    const input = await named.prepare(session.signal);
    if (line.has('dry-run')) return await tellDryRun(session, input, fields);
    session.onInterrupt('Stopped; perhaps it was submitted.');
    say(`${input.name}: ${count(input.requests)} requests for ${input.endpoint}`);
    if (late !== null) say(late);
    const key = line.one('idempotency-key');
    const runKey = key === undefined ? { kind: 'new' as const } : { kind: 'given' as const, key };
    const { batch, isReplay } = await submitInput(session, input, fields, runKey);
    if (isReplay) say('This key was used before: the batch is the one of then.');
    stdout.write(`${line.has('json') ? JSON.stringify(batch) : batch.id}\n`);
    say(`Watch it: ${commandFor(self, ['watch', batch.id], line, null)}`);
    return exitCodes.success;
  } finally {
    await named.dispose();
  }
});
