import { exitCodes } from './exit-codes.ts';
import { isBatchId, laneTarget } from './find-target.ts';
import { serverOptions } from './server.ts';
import { bulkCommand, type Session } from './session.ts';

const about = {
  pause:
    'Pauses batches or lanes: no new call starts until they are resumed, and calls in flight finish. The completion window of a batch keeps running.',
  resume:
    'Resumes batches or lanes that were paused. A lane that is unreachable, or that the provider paused, is tried again at once.',
};

/** The commands `pause` and `resume`. */
export const changeCommand = (verb: 'pause' | 'resume') => {
  const help = {
    usage: `${verb} ID… [flags]`,
    about: [
      about[verb],
      'ID is a batch_… or lane_… id, or a model (PROVIDER/MODEL where several providers serve it).',
    ],
    words: { least: 1, most: 100, names: 'ID' },
    options: {
      'This command': {
        json: { about: 'the changed batches and lanes as JSON, one per line' },
        ...serverOptions,
      },
    },
    examples: [`nightshift ${verb} batch_…`, `nightshift ${verb} gpt-4o-mini`],
  };
  return bulkCommand(help, async (session) => {
    session.onInterrupt('Stopped.');
    for (const word of session.line.words) await change(session, verb, word);
    return exitCodes.success;
  });
};

async function change(session: Session, verb: 'pause' | 'resume', word: string): Promise<void> {
  const { client, patience, stdout, line } = session;
  if (isBatchId(word)) {
    const batch = await patience.with(async () => await client.changeBatch(word, verb));
    const stands = batch.paused ? 'is paused' : `is ${batch.status.replace('_', ' ')}`;
    stdout.write(`${line.has('json') ? JSON.stringify(batch) : `${word} ${stands}`}\n`);
    return;
  }
  const { id, name } = laneTarget(word, await patience.with(async () => await client.lanes()));
  const lane = await patience.with(async () => await client.changeLane(id, verb));
  stdout.write(`${line.has('json') ? JSON.stringify(lane) : `${id} (${name}) is ${lane.state}`}\n`);
}
