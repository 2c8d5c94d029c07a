import { z } from 'zod';
import type { StoredFile, Upload } from '../batch/index.ts';

const unixSeconds = z.number().describe('unix seconds');

export const fileSchema = z
  .object({
    id: z.string(),
    object: z.literal('file'),
    bytes: z.int(),
    created_at: unixSeconds,
    expires_at: unixSeconds.nullable(),
    filename: z.string(),
    purpose: z.string(),
    status: z.literal('processed'),
    status_details: z.null(),
  })
  .meta({ id: 'File' });
export type FileView = z.infer<typeof fileSchema>;

export const fileListSchema = z
  .object({
    object: z.literal('list'),
    data: z.array(fileSchema),
    first_id: z.string().nullable(),
    last_id: z.string().nullable(),
    has_more: z.boolean(),
  })
  .meta({ id: 'FileList' });

export const deletedFileSchema = z
  .object({ id: z.string(), object: z.literal('file'), deleted: z.literal(true) })
  .meta({ id: 'DeletedFile' });

export const uploadSchema = z
  .object({
    id: z.string(),
    object: z.literal('upload'),
    bytes: z.int(),
    created_at: unixSeconds,
    expires_at: unixSeconds,
    filename: z.string(),
    purpose: z.string(),
    status: z.enum(['pending', 'completed', 'cancelled', 'expired']),
    file: fileSchema.nullable(),
  })
  .meta({ id: 'Upload' });
export type UploadView = z.infer<typeof uploadSchema>;

export const uploadPartSchema = z
  .object({
    id: z.string(),
    object: z.literal('upload.part'),
    created_at: unixSeconds,
    upload_id: z.string(),
  })
  .meta({ id: 'UploadPart' });
export type UploadPartView = z.infer<typeof uploadPartSchema>;

export function presentFile(file: StoredFile): FileView {
  return {
    id: file.id,
    object: 'file',
    bytes: file.bytes,
    created_at: seconds(file.createdAtMs),
    expires_at: file.expiresAtMs === null ? null : seconds(file.expiresAtMs),
    filename: file.filename,
    purpose: file.purpose,
    status: 'processed',
    status_details: null,
  };
}

export function presentUpload(upload: Upload): UploadView {
  return {
    id: upload.id,
    object: 'upload',
    bytes: upload.bytes,
    created_at: seconds(upload.createdAtMs),
    expires_at: seconds(upload.expiresAtMs),
    filename: upload.filename,
    purpose: upload.purpose,
    status: upload.status,
    file: upload.completed === null ? null : presentFile(upload.completed.file),
  };
}

/** Whole unix seconds, as OpenAI's. */
function seconds(ms: number): number {
  return Math.floor(ms / 1000);
}
