import { exitCodes } from '../exit-codes.ts';
import { laneTable } from '../operator-tables.ts';
import { printTable } from '../print-table.ts';
import { serverOptions } from '../server.ts';
import { bulkCommand } from '../session.ts';

const help = {
  usage: 'lanes [flags]',
  about: [
    'Lists lanes. A lane is a provider, a model and a credential. Shows its state and, if it is held up, why and until when.',
  ],
  words: { least: 0, most: 0, names: '' },
  options: {
    'This command': {
      json: { about: 'the lanes as JSON, one per line' },
      ...serverOptions,
    },
  },
};

export const runLanes = bulkCommand(help, async (session) => {
  const { client, patience, clock } = session;
  session.onInterrupt('Stopped.');
  const lanes = await patience.with(async () => await client.lanes());
  const none = 'There are no lanes: no work was submitted yet.';
  printTable(session, lanes, (all) => laneTable(all, clock.now()), none);
  return exitCodes.success;
});
