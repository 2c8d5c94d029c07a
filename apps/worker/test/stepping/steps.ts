import type { BlobStore, SegmentWriter } from '@nightshift/blobs';
import type { WorkerHands } from '../../src/worker.ts';

/**
 * The steps of a conductor, in their order. Those of finalising are the ones from `results` on, once every line has its
 * result: `results` reads what waits, `open` and `append` write it durably to a segment of either file, `commit` makes it
 * count, `finalize` closes the batch to lines, `finish` registers the files, settles the batch and clears its keys. Then those
 * of cleaning: records go, what they held in the blob store is removed, and forgotten.
 */
export const steps = [
  'begin',
  'feed',
  'skip',
  'results',
  'open-output',
  'append-output',
  'open-errors',
  'append-errors',
  'commit',
  'finalize',
  'finish',
  'expire-files',
  'retire-batches',
  'remove',
  'forget',
] as const;
type Step = (typeof steps)[number];

/** Before the step has any effect; when a part of an append is written; after the effect, before anybody knows. */
export const moments = ['before', 'midway', 'after'] as const;
type Moment = (typeof moments)[number];

export interface Point {
  /** The one batch that this process conducts. */
  batchId: string;
  step: Step;
  moment: Moment;
}

/** Those that need not wait for the last result. */
const anytime: ReadonlySet<Step> = new Set([
  ...(['begin', 'feed', 'skip'] as const),
  ...(['expire-files', 'retire-batches', 'remove', 'forget'] as const),
]);

/**
 * Calls `strike` once, at a point in the life of one batch. Results are gathered until every line has one, so that a step
 * of finalising has something to do.
 */
export function stepBy(
  { store, blobs, retention }: WorkerHands,
  { batchId, step: wanted, moment: wantedMoment }: Point,
  strike: () => void,
): WorkerHands {
  let isFinalising = false;
  let isStruck = false;

  const isHere = (step: Step, moment: Moment): boolean =>
    !isStruck && step === wanted && moment === wantedMoment && (anytime.has(step) || isFinalising);
  const reach = (step: Step, moment: Moment): void => {
    if (!isHere(step, moment)) return;
    isStruck = true;
    strike();
  };
  const at =
    <Call extends unknown[], Result>(step: Step, act: (...call: Call) => Promise<Result>) =>
    async (...call: Call): Promise<Result> => {
      reach(step, 'before');
      const result = await act(...call);
      reach(step, 'after');
      return result;
    };

  /** Only where there was something to end. */
  const ending =
    (step: Step, act: WorkerHands['retention']['expireFiles']) =>
    async (tenant: string): ReturnType<typeof act> => {
      const ended = await act(tenant);
      if (ended.count > 0) reach(step, 'after');
      return ended;
    };

  const openSegment: BlobStore['openSegment'] = async (name) => {
    const file = name.includes('/output-') ? 'output' : 'errors';
    const writer = await at(`open-${file}`, blobs.openSegment)(name);
    const append: SegmentWriter['append'] = async (bytes) => {
      if (isHere(`append-${file}`, 'midway')) {
        await writer.append(bytes.subarray(0, bytes.length / 2));
        reach(`append-${file}`, 'midway');
      }
      return await writer.append(bytes);
    };
    return { append: at(`append-${file}`, append), close: writer.close };
  };
  return {
    store: {
      ...store,
      open: async (tenant) => (await store.open(tenant)).filter((id) => id === batchId),
      read: async (conducting) => {
        const state = await store.read(conducting);
        if (state === null) return null;
        const { total, completed, failed } = state.batch.counts;
        isFinalising = state.isValidated && completed + failed === total;
        return state;
      },
      begin: at('begin', store.begin),
      feed: at('feed', store.feed),
      skip: at('skip', store.skip),
      results: at('results', store.results),
      commit: at('commit', store.commit),
      finalize: at('finalize', store.finalize),
      finish: at('finish', store.finish),
    },
    blobs: {
      ...blobs,
      gather: { ...blobs.gather, forMs: Infinity },
      openSegment,
      remove: at('remove', blobs.remove),
      removeSegment: at('remove', blobs.removeSegment),
      removeSegments: at('remove', blobs.removeSegments),
    },
    retention: {
      ...retention,
      expireFiles: ending('expire-files', retention.expireFiles),
      retireBatches: ending('retire-batches', retention.retireBatches),
      forgetLoose: at('forget', retention.forgetLoose),
    },
  };
}
