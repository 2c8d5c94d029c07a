import type { BlobStore } from '@nightshift/blobs';
import { isBatchSettled, mayRun, type Batch } from '@nightshift/shared/batch';
import type { LaneQueues } from '@nightshift/shared/bullmq';
import type { Clock } from '@nightshift/shared/clock';
import type { Configuration } from '@nightshift/shared/config';
import type {
  ConductedBatch,
  Conducting,
  ConductorStore,
  JobStore,
  LaneStore,
  MemoryWatch,
  OutputFile,
} from '@nightshift/shared/redis';
import type { Logger } from '@nightshift/shared/telemetry';
import { v7 } from 'uuid';
import { createFeeder, type Feeder } from './feeder.ts';
import { createResultWriter, type Drained, type ResultWriter } from './result-writer.ts';
import { createTrouble } from './trouble.ts';
import { validateBatch } from './validate-batch.ts';

export interface ConductorDependencies {
  store: ConductorStore;
  jobs: JobStore;
  lanes: LaneStore;
  queues: LaneQueues;
  blobs: BlobStore;
  memory: Pick<MemoryWatch, 'isTight'>;
  /** Location of the blob store, shown to operators who must free space there: `file:./data/blobs`. */
  blobsAt: string;
  configuration: Configuration;
  clock: Clock;
  logger: Logger;
}

/** Calls in flight of a cancelled batch have this long to come back. */
const CANCEL_GRACE_MS = 30_000;
const LOOK_MS = 50;
const RETRY_MS = 1000;

/**
 * Conducts one batch from wherever it stands to its end: validates its input, keeps a window of its lines in their lanes,
 * writes their results to its files, and settles it. It alone touches the batch's files and counts; everything that it
 * writes carries its epoch, so one that lost the batch to another changes nothing. A crash leaves what is
 * committed, and the next conductor goes on from there.
 */
export async function conduct(
  conducting: Conducting,
  dependencies: ConductorDependencies,
  signal: AbortSignal,
): Promise<void> {
  const { store, clock } = dependencies;
  const trouble = createTrouble(conducting, dependencies);
  let hands: { feeder: Feeder; writer: ResultWriter } | null = null;
  try {
    while (!signal.aborted) {
      try {
        const state = await store.read(conducting);
        if (state === null || isBatchSettled(state.batch.status)) return;
        if (!state.isValidated) {
          const outcome = await validateBatch(conducting, state.batch, dependencies, signal);
          if (outcome !== 'begun') return;
          await trouble.over(state.batch);
          continue;
        }
        const input = await store.inputName(conducting, state.batch.inputFileId);
        hands ??= {
          feeder: createFeeder(conducting, state, input, dependencies),
          writer: createResultWriter(conducting, state.batch, dependencies),
        };
        const written = await drain(state.batch, hands.writer);
        if (written === 'lost') return;
        const step = await advance(conducting, state, hands, written, dependencies);
        // If results were not read, nothing was written, so the failure may still be there.
        if (written !== 'not_due') await trouble.over(state.batch);
        if (step === 'over') return;
        if (step === 'waiting') await clock.sleep(LOOK_MS, signal).catch(() => undefined);
      } catch (error) {
        if (signal.aborted) return;
        await trouble.met(error as Error);
        await hands?.feeder.close();
        await hands?.writer.close();
        // What was read or written half is read and written anew, from what is committed.
        hands = null;
        await clock.sleep(RETRY_MS, signal).catch(() => undefined);
      }
    }
  } finally {
    await hands?.feeder.close();
    await hands?.writer.close();
  }
}

async function drain({ status, counts }: Batch, writer: ResultWriter): Promise<Drained> {
  const isEnding = status !== 'in_progress';
  return await writer.drain(isEnding || counts.completed + counts.failed === counts.total);
}

/** `feed → end`: the rest of a round after results were drained. */
async function advance(
  conducting: Conducting,
  state: ConductedBatch,
  { feeder, writer }: { feeder: Feeder; writer: ResultWriter },
  written: Drained,
  dependencies: ConductorDependencies,
): Promise<'working' | 'waiting' | 'over'> {
  const { batch, place, nowMs } = state;
  const { counts } = batch;
  const settled = counts.completed + counts.failed;
  const isIdle = written === 'nothing' || written === 'not_due';
  if (settled === counts.total) {
    if (written === 'more') return 'working';
    return await finish(conducting, state, writer, dependencies);
  }
  if (batch.status === 'in_progress') {
    if (nowMs >= batch.expiresAtMs) {
      await dependencies.store.finalize(conducting);
      return 'working';
    }
    const isResting = batch.quietHours !== null && !mayRun(batch.quietHours, nowMs);
    if (isResting !== state.isResting) await dependencies.store.rest(conducting, isResting);
    if (isResting || batch.paused || (batch.runAtMs ?? 0) > nowMs) return 'waiting';
    const fed = await feeder.feed(place, place.fed - settled);
    return fed === 0 && isIdle ? 'waiting' : 'working';
  }
  if (batch.status === 'cancelling') await cancelWindow(conducting, state, dependencies);
  if (place.fed < counts.total) {
    await feeder.skip(place, batch.status === 'cancelling' ? 'cancelled' : 'expired');
    return 'working';
  }
  return isIdle ? 'waiting' : 'working';
}

/** Lines that wait are cancelled at once, those that are called when their grace is over. */
async function cancelWindow(
  conducting: Conducting,
  { batch, nowMs }: ConductedBatch,
  { store, jobs }: ConductorDependencies,
): Promise<void> {
  const window = await store.window(conducting);
  const isOver = nowMs >= (batch.cancellingAtMs ?? 0) + CANCEL_GRACE_MS;
  const isCalled = await store.isCalled(conducting, window);
  await Promise.all(
    window.map(async (id, at) => {
      if (isOver || isCalled[at] === false) await jobs.cancel(conducting.tenant, id);
    }),
  );
}

async function finish(
  conducting: Conducting,
  state: ConductedBatch,
  writer: ResultWriter,
  { store, configuration, logger }: ConductorDependencies,
): Promise<'working' | 'waiting' | 'over'> {
  const { batch } = state;
  await store.finalize(conducting);
  const status = lastStatus(state);
  const reply = await store.finish(conducting, batch.inputFileId, status, {
    output: fileOf(batch, 'output', writer.output),
    error: fileOf(batch, 'error', writer.failures),
    expireAfterMs: batch.outputExpiresAfterMs ?? configuration.retention.batchFilesMs,
  });
  if (reply === 'unfinished') return 'waiting';
  logger.info({ batchId: batch.id, status, ...batch.counts }, `batch.${status}`);
  return 'over';
}

/** A line that the end of the window kept from its answer makes the batch expired, however few there are. */
function lastStatus({ batch, expiredLines }: ConductedBatch) {
  if (batch.status === 'cancelling') return 'cancelled';
  return expiredLines > 0 ? 'expired' : 'completed';
}

function fileOf(
  { id }: Batch,
  kind: 'output' | 'error',
  segments: ResultWriter['output'],
): OutputFile | null {
  if (segments.length === 0) return null;
  return {
    id: `file-${v7().replaceAll('-', '')}`,
    filename: `${id}_${kind}.jsonl`,
    segments,
  };
}
