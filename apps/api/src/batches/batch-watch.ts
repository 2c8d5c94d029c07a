import type { Batch } from '@nightshift/shared/batch';
import type { WaitingFor } from '@nightshift/shared/http';
import type { BatchStore } from '@nightshift/shared/redis';
import type { Logger } from '@nightshift/shared/telemetry';

/** A batch, and why it was waiting when it was read. */
export interface ExplainedBatch {
  batch: Batch;
  waitingFor: WaitingFor | null;
}

/** `closing`: this process is about to end. Null: the batch is gone. */
export type BatchSeen = ExplainedBatch | null | 'closing';
type Listener = (seen: BatchSeen) => void;

export interface BatchWatch {
  /** Tells what the batch is now, and then again about once a second. Returns the function that ends it. */
  follow(tenant: string, id: string, listener: Listener): () => void;
  /** Tells all who follow, and all who come later, to finish. */
  finishAll(): void;
}

const LOOK_EVERY_MS = 1000;

/** Looks at each batch that is followed once a second, however many follow it. */
export function createBatchWatch({
  batches,
  explain,
  logger,
  everyMs = LOOK_EVERY_MS,
}: {
  batches: Pick<BatchStore, 'get'>;
  explain: (batch: Batch) => Promise<WaitingFor | null>;
  logger: Logger;
  everyMs?: number;
}): BatchWatch {
  interface Followed {
    listeners: Set<Listener>;
    seen: ExplainedBatch | null | undefined;
    timer: NodeJS.Timeout | undefined;
  }
  const followed = new Map<string, Followed>();
  let isFinishing = false;

  const look = async (entry: Followed, tenant: string, id: string): Promise<void> => {
    try {
      const batch = await batches.get(tenant, id);
      entry.seen = batch && { batch, waitingFor: await explain(batch) };
      for (const listener of entry.listeners) listener(entry.seen);
    } catch (error) {
      // An outage is sat out: the next look tells what happened meanwhile.
      logger.warn({ batchId: id, reason: (error as Error).message }, 'batch.not_seen');
    }
    if (entry.listeners.size === 0) return;
    entry.timer = setTimeout(() => void look(entry, tenant, id), everyMs);
  };

  return {
    follow: (tenant, id, listener) => {
      const key = `${tenant} ${id}`;
      let entry = followed.get(key);
      if (entry === undefined) {
        entry = { listeners: new Set(), seen: undefined, timer: undefined };
        followed.set(key, entry);
        entry.listeners.add(listener);
        void look(entry, tenant, id);
      } else {
        entry.listeners.add(listener);
        // At most a second old; the next look brings what is newer.
        if (entry.seen !== undefined) listener(entry.seen);
      }
      if (isFinishing) listener('closing');
      const mine = entry;
      return () => {
        if (!mine.listeners.delete(listener) || mine.listeners.size > 0) return;
        clearTimeout(mine.timer);
        followed.delete(key);
      };
    },
    finishAll: () => {
      isFinishing = true;
      for (const { listeners } of followed.values()) {
        for (const listener of listeners) listener('closing');
      }
    },
  };
}
