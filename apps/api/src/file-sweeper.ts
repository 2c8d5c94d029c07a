import type { BlobStore } from '@nightshift/blobs';
import type { Clock } from '@nightshift/shared/clock';
import type { FileStore } from '@nightshift/shared/redis';
import type { Logger } from '@nightshift/shared/telemetry';
import { discard } from './upload/spool.ts';

/** A file that expires is gone at most this late. */
const SWEEP_MS = 10_000;
const TEMPORARY_EVERY_MS = 600_000;

export interface FileSweeper {
  start(): void;
  /** One round, for tests. */
  sweep(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Removes files whose time is up, blobs that no record holds, and what uploads left whose process died. Every API process
 * runs one: each step is a script, or harmless when two do it.
 */
export function createFileSweeper({
  files,
  blobs,
  clock,
  logger,
  uploadMs,
}: {
  files: FileStore;
  blobs: BlobStore;
  clock: Clock;
  logger: Logger;
  /** The longest that an upload may take: what is older is nobody's. */
  uploadMs: number;
}): FileSweeper {
  const stopping = new AbortController();
  let running: Promise<void> | undefined;
  let temporaryAtMs = 0;

  const sweep = async (): Promise<void> => {
    for (const tenant of await files.tenants()) {
      const expired = await files.expireDue(tenant);
      if (expired > 0) logger.info({ tenant, count: expired }, 'files.expired');
      await discard({ files, blobs, logger }, tenant, await files.dueLoose(tenant));
    }
    if (clock.monotonic() < temporaryAtMs) return;
    temporaryAtMs = clock.monotonic() + TEMPORARY_EVERY_MS;
    const removed = await blobs.sweepTemporary(2 * uploadMs);
    if (removed > 0) logger.info({ count: removed }, 'blobs.temporary_removed');
  };

  const loop = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      try {
        await sweep();
      } catch (error) {
        logger.warn({ reason: (error as Error).message }, 'file_sweep.failed');
      }
      await clock.sleep(SWEEP_MS, stopping.signal).catch(() => undefined);
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
