import { v7 } from 'uuid';
import type { StoredFile } from './file.ts';

/** The longest that an upload in one request may take: what is older is nobody's. */
export const MOST_UPLOAD_MS = 3_600_000;

/**
 * - `pending` → `completed`, by the call that joins its parts; → `cancelled`, by a caller; → `expired`, by the clock alone,
 *   an hour after it was created.
 * - The others have no exit. The record goes a day later, the parts with the move that settles it, or when they are not
 *   held any more.
 */
export type UploadStatus = 'pending' | 'completed' | 'cancelled' | 'expired';

export interface NewUpload {
  id: string;
  tenant: string;
  filename: string;
  purpose: string;
  /** What all parts must add up to. */
  bytes: number;
  /** Of the file that it becomes. */
  expiresAfterMs: number | null;
}

/** A part, whose bytes are a blob. */
export interface UploadPart {
  id: string;
  bytes: number;
  createdAtMs: number;
  blob: string;
}

/** A file that comes in parts. Instants are unix milliseconds on Redis' clock. */
export interface Upload extends NewUpload {
  status: UploadStatus;
  createdAtMs: number;
  expiresAtMs: number;
  parts: ReadonlyMap<string, UploadPart>;
  /** Of a completed one: its file, and the parts that it was made of in their order. */
  completed: { file: StoredFile; partIds: readonly string[] } | null;
}

/** `upload_` and 32 hex digits. */
export function newUploadId(): string {
  return `upload_${v7().replaceAll('-', '')}`;
}

/** `part_` and 32 hex digits. */
export function newPartId(): string {
  return `part_${v7().replaceAll('-', '')}`;
}

export const uploadIdPattern = /^upload_[0-9a-f]{32}$/;
export const partIdPattern = /^part_[0-9a-f]{32}$/;
