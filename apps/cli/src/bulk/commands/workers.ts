import { CommandError, exitCodes } from '../exit-codes.ts';
import { workerTable } from '../operator-tables.ts';
import { printTable } from '../print-table.ts';
import { serverOptions } from '../server.ts';
import { bulkCommand } from '../session.ts';

const help = {
  usage: 'workers [flags]',
  about: [
    'Lists worker processes: host, slots in use, and when each was last seen. A silent worker has sent no heartbeat for 12 s.',
  ],
  words: { least: 0, most: 0, names: '' },
  options: {
    'This command': {
      json: { about: 'the workers as JSON, one per line' },
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
      `the API at ${server.url} does not list its workers: it is older than this command`,
    );
  }
  const none = 'No worker is alive, so nothing is called. Start one: nightshift worker.';
  printTable(session, workers, (all) => workerTable(all, clock.now()), none);
  return exitCodes.success;
});
