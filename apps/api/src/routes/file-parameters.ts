import { z } from 'zod';
import { fileIdPattern, type StoredFile } from '@nightshift/shared/batch';
import { ApiError } from '@nightshift/shared/errors';
import type { Context } from '../context.ts';

export const fileParamsSchema = z.object({ id: z.string().describe('file- and 32 hex digits') });

/** The file of a path. An id that cannot be one is not looked for. */
export async function findFile(
  { files }: Context,
  tenant: string,
  params: unknown,
): Promise<StoredFile> {
  const id = fileIdOf(params);
  const file = await files.get(tenant, id);
  if (file === null) throw noSuchFile(id);
  return file;
}

export function fileIdOf(params: unknown): string {
  const { id } = params as { id: string };
  if (!fileIdPattern.test(id)) throw noSuchFile(id);
  return id;
}

export function noSuchFile(id: string): ApiError {
  return notFound('file', id);
}

export function notFound(what: 'file' | 'upload', id: string): ApiError {
  const shown = id.length > 64 ? `${id.slice(0, 64)}…` : id;
  return new ApiError('not_found', `No ${what} of yours has the id '${shown}'.`, { param: 'id' });
}
