import { extname } from 'node:path';
import { z } from 'zod';
import { ApiError } from '../errors/index.ts';
import { queryNumber } from './query-number.ts';
import { schemaError } from './schema-error.ts';

const SHORTEST_S = 3600;
const LONGEST_S = 30 * 86_400;
const MOST_LISTED = 10_000;

const purpose = z
  .string()
  .min(1)
  .max(64)
  .describe('`batch` for the input of a batch; any other is kept as it is given');

/** Control characters have no place in a header or a terminal, and half a surrogate pair none in UTF-8. */
const filename = z
  .string()
  .min(1)
  .max(255)
  .refine(
    (name) => name.isWellFormed() && !/\p{Cc}/u.test(name),
    'must be well-formed Unicode without control characters',
  );

/** The fields of `POST /v1/files` beside its file, under the names that the form has. */
const formSchema = z.strictObject({
  purpose,
  'expires_after[anchor]': z.literal('created_at').optional(),
  'expires_after[seconds]': queryNumber(SHORTEST_S, LONGEST_S).optional(),
});

/** The form, for the document. */
export const fileFormSchema = formSchema.extend({
  file: z.string().meta({ format: 'binary' }).describe('for `batch` a .jsonl'),
});

export interface FileForm {
  purpose: string;
  expiresAfterMs: number | null;
}

/** @throws ApiError that names the field. */
export function parseFileForm(fields: Readonly<Record<string, string>>): FileForm {
  const parsed = formSchema.superRefine(bothOrNone).safeParse(fields);
  if (!parsed.success) throw schemaError(parsed.error.issues, fields);
  const seconds = parsed.data['expires_after[seconds]'];
  return {
    purpose: parsed.data.purpose,
    expiresAfterMs: seconds === undefined ? null : seconds * 1000,
  };
}

function bothOrNone(form: z.output<typeof formSchema>, context: z.RefinementCtx): void {
  const names = ['expires_after[anchor]', 'expires_after[seconds]'] as const;
  const missing = names.filter((name) => form[name] === undefined);
  if (missing.length !== 1) return;
  context.addIssue({ code: 'custom', message: 'must be given', path: [...missing] });
}

/** @throws ApiError that names the file, or the field that holds its name. */
export function checkFilename(name: string, purpose: string, param: string): void {
  if (!filename.safeParse(name).success) {
    throw new ApiError(
      'invalid_value',
      `Invalid '${param}': its file name must be 1 to 255 characters, without control characters.`,
      { param },
    );
  }
  // Clients that send bytes call the file `upload`, and OpenAI takes it: only another extension is refused.
  const extension = extname(name).toLowerCase();
  if (purpose === 'batch' && !['', '.', '.jsonl'].includes(extension)) {
    throw new ApiError('invalid_file_format', 'Invalid file format for Batch API. Must be .jsonl', {
      param,
    });
  }
}

export const listFilesQuerySchema = z.strictObject({
  limit: queryNumber(1, MOST_LISTED).default(MOST_LISTED),
  order: z.enum(['asc', 'desc']).default('desc'),
  purpose: z.string().max(64).optional(),
  after: z.string().max(128).optional(),
});
export type ListFilesQuery = z.infer<typeof listFilesQuerySchema>;

/** The body of `POST /v1/uploads`. */
export const uploadRequestSchema = (mostBytes: number) =>
  z.strictObject({
    filename: z.string(),
    purpose,
    bytes: z.int().min(0).max(mostBytes).describe('what all parts add up to'),
    mime_type: z.string().max(255).describe('not looked at'),
    expires_after: z
      .strictObject({
        anchor: z.literal('created_at'),
        seconds: z.int().min(SHORTEST_S).max(LONGEST_S),
      })
      .nullish(),
  });
export type UploadRequest = z.infer<ReturnType<typeof uploadRequestSchema>>;

/** The body of `POST /v1/uploads/ID/complete`. */
export const completeUploadSchema = z.strictObject({
  part_ids: z.array(z.string().max(64)).max(1000).describe('in the order of their bytes'),
  md5: z
    .string()
    .regex(/^[0-9a-f]{32}$/i, 'must be 32 hex digits')
    .nullish()
    .describe('of the whole, in hex'),
});
export type CompleteUploadRequest = z.infer<typeof completeUploadSchema>;

/** The form of a part, for the document. */
export const partFormSchema = z.strictObject({ data: z.string().meta({ format: 'binary' }) });
