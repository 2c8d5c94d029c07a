import {
  BlobDamagedError,
  BlobNotFoundError,
  BlobStoreFullError,
  BlobStoreUnavailableError,
} from '@nightshift/blobs';
import type { Batch } from '@nightshift/shared/batch';
import { isRedisFull, type Conducting } from '@nightshift/shared/redis';
import { causeOf, redisFullWait, storageMessage } from '@nightshift/shared/waiting';
import type { ConductorDependencies } from './conductor.ts';

/** Reports what stops a conductor: once in the batch's record, for its readers, and once in the log. */
export interface Trouble {
  /** A round failed. Never rejects. */
  met(failure: Error): Promise<void>;
  /** A round succeeded. `batch` is its state before that round. */
  over(batch: Batch): Promise<void>;
}

export function createTrouble(
  conducting: Conducting,
  { store, blobsAt, logger }: Pick<ConductorDependencies, 'store' | 'blobsAt' | 'logger'>,
): Trouble {
  const batchId = conducting.id;
  let told: string | null = null;
  return {
    met: async (failure) => {
      const heldUp = heldUpBy(failure, blobsAt);
      const message = heldUp?.message ?? failure.message;
      const level = message === told ? 'debug' : 'warn';
      logger[level](
        { batchId, reason: heldUp?.reason ?? null, message, error: failure.message },
        'batch.held_up',
      );
      if (message === told) return;
      told = message;
      if (heldUp === null) return;
      try {
        await store.holdUp(conducting, heldUp);
      } catch {
        // The next failure reports it.
        told = null;
      }
    },
    over: async ({ heldUp }) => {
      if (heldUp !== null) await store.holdUp(conducting, null);
      if (heldUp !== null || told !== null) logger.warn({ batchId }, 'batch.resumed');
      told = null;
    },
  };
}

/** The error as a reason to wait that readers of the batch see; null if none of the reasons fits. */
export function heldUpBy(error: Error, blobsAt: string): Batch['heldUp'] {
  if (isRedisFull(error)) return { reason: 'redis_full', message: redisFullWait().message };
  if (error instanceof BlobStoreFullError) {
    return { reason: 'storage', message: storageMessage('full', blobsAt, causeOf(error)) };
  }
  const isStorage =
    error instanceof BlobStoreUnavailableError ||
    error instanceof BlobNotFoundError ||
    error instanceof BlobDamagedError;
  return isStorage
    ? { reason: 'storage', message: storageMessage('unavailable', blobsAt, causeOf(error)) }
    : null;
}
