import { CommandError, exitCodes } from '../exit-codes.ts';
import { workerTable } from '../operator-tables.ts';
import { printTable } from '../print-table.ts';
import { serverOptions } from '../server.ts';
import { bulkCommand } from '../session.ts';

const help = {
  usage: 'workers [flags]',
  about: [
    'Lists worker processes: where they run, how many of their slots are used, and when each was last seen. A silent one was not seen for a while.',
  ],
  words: { least: 0, most: 0, names: '' },
  options: {
    'This command': {
      json: { about: 'the workers as JSON, one a line' },
      ...serverOptions,
    },
  },
};

export const runWorkers = bulkCommand(help, async (session) => {
  const { client, patience, clock, server } = session;
  session.onInterrupt('Stopped.');
  const workers = await patience.with(async () => await client.workers());
  if (workers === null) {
    throw new CommandError(
      `the API at ${server.url} does not tell its workers: it is older than this command`,
    );
  }
  const none = 'No worker is alive: nothing is called. Start one with nightshift worker.';
  printTable(session, workers, (all) => workerTable(all, clock.now()), none);
  return exitCodes.success;
});
