import type { FileContent, StoredFile } from '../batch/index.ts';

/** The fields of a file's record that a reader needs. `list-files` goes by the first two. */
export const fileFields = [
  'id',
  'purpose',
  'tenant',
  'filename',
  'bytes',
  'created_at',
  'expires_at',
  'content',
] as const;

/** A stored record as a file; null when there is none. Our own scripts wrote it, so the values are taken as they are. */
export function parseFile(values: readonly (string | null)[]): StoredFile | null {
  const read = (name: (typeof fileFields)[number]): string =>
    values[fileFields.indexOf(name)] ?? '';
  if (read('id') === '') return null;
  return {
    id: read('id'),
    tenant: read('tenant'),
    filename: read('filename'),
    purpose: read('purpose'),
    bytes: Number(read('bytes')),
    createdAtMs: Number(read('created_at')),
    expiresAtMs: read('expires_at') === '' ? null : Number(read('expires_at')),
    content: JSON.parse(read('content')) as FileContent,
  };
}
