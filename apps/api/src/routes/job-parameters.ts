import { z } from 'zod';
import { ApiError } from '@nightshift/shared/errors';
import { jobIdPattern } from '@nightshift/shared/job';

export const jobParamsSchema = z.object({ id: z.string().describe('job_ and 32 hex digits') });

export const idempotencyHeadersSchema = z.object({
  'idempotency-key': z
    .string()
    .min(1)
    .max(255)
    .optional()
    .describe('For 24 hours the same key with the same content stands for the same job or file.'),
});

/** The id of a path. One that cannot be an id is not looked for. */
export function jobIdOf(params: unknown): string {
  const { id } = params as { id: string };
  if (!jobIdPattern.test(id)) throw noSuchJob(id);
  return id;
}

export function noSuchJob(id: string): ApiError {
  const shown = id.length > 64 ? `${id.slice(0, 64)}…` : id;
  return new ApiError('not_found', `No job of yours has the id '${shown}'.`, { param: 'id' });
}

/** The key that a caller gives to a call that must not happen twice, or null. */
export function idempotencyKeyOf(header: string | string[] | undefined): string | null {
  if (header === undefined) return null;
  if (typeof header !== 'string' || header.length < 1 || header.length > 255) {
    throw new ApiError(
      'invalid_value',
      "Invalid 'Idempotency-Key': must be 1 to 255 characters long.",
      { param: 'Idempotency-Key' },
    );
  }
  return header;
}
