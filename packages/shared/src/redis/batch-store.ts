import type { Batch, BatchStatus, NewBatch } from '../batch/index.ts';
import type { Idempotency } from './job-store.ts';
import type { RedisConnection } from './connect.ts';
import type { Keys } from './keys.ts';
import type { RunScript } from './scripts.ts';

export type CreateBatchResult =
  | { kind: 'created'; batch: Batch }
  | { kind: 'replayed'; batch: Batch }
  | { kind: 'conflict'; id: string }
  /** The input file is gone. */
  | { kind: 'no_input' };

export type CancelBatchResult =
  /** It is cancelling or cancelled now, or was before. */
  | { kind: 'cancelling'; batch: Batch }
  /** It had ended in another way. */
  | { kind: 'settled'; status: BatchStatus }
  | { kind: 'missing' };

export interface BatchPage {
  batches: Batch[];
  hasMore: boolean;
}

/** What the API does with batches; the conductor has a store of its own. */
export interface BatchStore {
  /** With the hold on its input file, in one script: once this resolves the batch is a promise. */
  create(id: string, batch: NewBatch, idempotency: Idempotency | null): Promise<CreateBatchResult>;
  get(tenant: string, id: string): Promise<Batch | null>;
  /** Newest first. `after`: an id of the same tenant; null when it is none. */
  list(tenant: string, page: { limit: number; after: string | null }): Promise<BatchPage | null>;
  cancel(tenant: string, id: string): Promise<CancelBatchResult>;
  /** Null when there is no such batch; a settled one is left as it is. */
  setPaused(tenant: string, id: string, paused: boolean): Promise<Batch | null>;
}

export interface BatchStoreOptions {
  redis: RedisConnection;
  run: RunScript;
  keys: Keys;
  retentionMs: number;
}
