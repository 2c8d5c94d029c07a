import { v7 } from 'uuid';
import type { ResultSegment } from './batch.ts';

/** Where a file's bytes are: one blob, or the committed parts of what a batch wrote. */
export type FileContent =
  | { kind: 'blob'; name: string }
  | { kind: 'segments'; segments: readonly ResultSegment[] };

/** A file's record. Instants are unix milliseconds on Redis' clock. */
export interface StoredFile {
  id: string;
  tenant: string;
  filename: string;
  /** `batch`, `batch_output`, or whatever a caller named. */
  purpose: string;
  bytes: number;
  createdAtMs: number;
  expiresAtMs: number | null;
  content: FileContent;
}

/** `file-` and 32 hex digits: a UUID of version 7. */
export function newFileId(): string {
  return `file-${v7().replaceAll('-', '')}`;
}
