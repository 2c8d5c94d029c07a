import type { BlobStore } from '@nightshift/blobs';
import { MOST_UPLOAD_MS } from '@nightshift/shared/batch';
import type { Clock } from '@nightshift/shared/clock';
import type { JobStore, LooseBlob, RetentionStore } from '@nightshift/shared/redis';
import type { Logger } from '@nightshift/shared/telemetry';

/** What is due is gone about this late; also how long one worker cleans before it may be another's turn. */
const SWEEP_MS = 10_000;
const LOOK_MS = 1000;
const TEMPORARY_EVERY_MS = 600_000;
const REMOVED_AT_ONCE = 16;

export interface Cleaner {
  start(): void;
  /** One round over all tenants, a stretch of each; resolves to whether there is more. */
  sweep(): Promise<boolean>;
  stop(): Promise<void>;
}

/**
 * Ends retention: removes files whose time is up, batches, and what no record holds in the blob store. Records go first, in
 * scripts that put what they held on the list of loose blobs; what is on that list is removed, and then taken off. So a file that
 * can be read has its bytes, and whatever dies in between leaves the rest to the next round. Every worker runs one; one of them
 * at a time has the turn.
 */
export function createCleaner({
  jobs,
  retention,
  blobs,
  clock,
  logger,
  workerId,
}: {
  jobs: Pick<JobStore, 'tenants'>;
  retention: RetentionStore;
  blobs: BlobStore;
  clock: Clock;
  logger: Logger;
  workerId: string;
}): Cleaner {
  const stopping = new AbortController();
  let running: Promise<void> | undefined;

  const remove = async ({ kind, name }: LooseBlob): Promise<void> => {
    if (kind === 'blob') await blobs.remove(name);
    else if (kind === 'segment') await blobs.removeSegment(name);
    else await blobs.removeSegments(name);
  };

  /** One that cannot be removed now stays on the list, and keeps no other there. */
  const removeLoose = async (tenant: string): Promise<boolean> => {
    const due = await retention.dueLoose(tenant);
    let isMore = false;
    for (let from = 0; from < due.length && !stopping.signal.aborted; from += REMOVED_AT_ONCE) {
      const some = due.slice(from, from + REMOVED_AT_ONCE);
      const ends = await Promise.allSettled(some.map(remove));
      const gone = some.filter((_blob, at) => ends[at]?.status === 'fulfilled');
      await retention.forgetLoose(tenant, gone);
      isMore ||= gone.length > 0;
      const failed = ends.find((end) => end.status === 'rejected');
      if (failed !== undefined) {
        logger.warn({ tenant, reason: (failed.reason as Error).message }, 'blob.not_removed');
      }
    }
    return isMore;
  };

  const sweep = async (): Promise<boolean> => {
    let isMore = false;
    for (const tenant of await jobs.tenants()) {
      if (stopping.signal.aborted) return false;
      const files = await retention.expireFiles(tenant);
      const batches = await retention.retireBatches(tenant);
      const wasLoose = await removeLoose(tenant);
      if (files.count + batches.count > 0) {
        logger.info({ tenant, files: files.count, batches: batches.count }, 'retention.ended');
      }
      isMore ||= files.isMore || batches.isMore || wasLoose;
    }
    return isMore;
  };

  const removeTemporary = async (): Promise<void> => {
    if (!(await retention.takeTurn('remove-temporary', workerId, TEMPORARY_EVERY_MS))) return;
    const removed = await blobs.sweepTemporary(2 * MOST_UPLOAD_MS);
    if (removed > 0) logger.info({ count: removed }, 'blobs.temporary_removed');
  };

  const clean = async (): Promise<void> => {
    if (!(await retention.takeTurn('clean', workerId, SWEEP_MS))) return;
    const untilMs = clock.monotonic() + SWEEP_MS;
    while ((await sweep()) && clock.monotonic() < untilMs);
    await removeTemporary();
  };

  const loop = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      try {
        await clean();
      } catch (error) {
        logger.warn({ reason: (error as Error).message }, 'cleaning.failed');
      }
      await clock.sleep(LOOK_MS, stopping.signal).catch(() => undefined);
    }
  };

  return {
    start: () => {
      running ??= loop();
    },
    sweep,
    stop: async () => {
      stopping.abort();
      await running;
    },
  };
}
