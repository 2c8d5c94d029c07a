import type { LaneView } from '@nightshift/shared/http';
import { CommandError } from './exit-codes.ts';

interface LaneTarget {
  id: string;
  /** For display. */
  name: string;
}

/** Whether a word is a batch id, so that the lanes need not be read. */
export const isBatchId = (word: string): boolean => word.startsWith('batch_');

/**
 * The lane that a word names: its id, its model, or `PROVIDER/MODEL` where several providers serve the model.
 * @throws CommandError if it names none, or several
 */
export function laneTarget(word: string, lanes: readonly LaneView[]): LaneTarget {
  const nameOf = ({ provider, model }: LaneView): string => `${model} at ${provider}`;
  const [lane, ...more] = lanes.filter(({ id, provider, model }) =>
    [id, model, `${provider}/${model}`].includes(word),
  );
  if (lane === undefined) {
    const known = [...new Set(lanes.map(({ model }) => model))].join(', ');
    throw new CommandError(
      `there is no batch and no lane ${JSON.stringify(word)}: give a batch_… id, a lane_… id or a model${known === '' ? '; no model was called yet' : ` such as ${known}`}`,
    );
  }
  if (more.length === 0) return { id: lane.id, name: nameOf(lane) };
  const several = [lane, ...more].map((one) => `${one.id} (${nameOf(one)})`).join(', ');
  throw new CommandError(
    `${JSON.stringify(word)} names ${more.length + 1} lanes: give the id of one: ${several}`,
  );
}
