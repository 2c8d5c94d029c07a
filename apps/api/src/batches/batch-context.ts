import type { BlobStore } from '@nightshift/blobs';
import type { FileContent, StoredFile } from '@nightshift/shared/batch';
import type { BatchStore } from '@nightshift/shared/redis';
import type { Context } from '../context.ts';

/** A file that is about to be put on record; its blob is written. */
type NewInputFile = Omit<StoredFile, 'createdAtMs' | 'expiresAtMs' | 'content'> & {
  expiresAfterMs: number | null;
  content: FileContent & { kind: 'blob' };
};

/** What batches need of the store of files. */
export interface InputFiles {
  get(tenant: string, id: string): Promise<StoredFile | null>;
  /** Announces a blob before it is written: unless a record holds it in time, it is removed. */
  hold(tenant: string, blob: string): Promise<void>;
  create(file: NewInputFile): Promise<{ kind: string }>;
  /** The record goes; its blob is the caller's to remove. */
  remove(tenant: string, id: string): Promise<unknown>;
}

export interface Batching {
  batches: BatchStore;
  files: InputFiles;
  blobs: BlobStore;
}

/** What the routes of batches work with. */
export type BatchContext = Omit<Context, keyof Batching> & Batching;
