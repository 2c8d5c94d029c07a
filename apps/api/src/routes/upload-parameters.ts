import { z } from 'zod';
import { uploadIdPattern, type Upload, type UploadStatus } from '@nightshift/shared/batch';
import { ApiError } from '@nightshift/shared/errors';
import type { Context } from '../context.ts';
import { notFound } from './file-parameters.ts';

export const uploadParamsSchema = z.object({
  id: z.string().describe('upload_ and 32 hex digits'),
});

export function uploadIdOf(params: unknown): string {
  const { id } = params as { id: string };
  if (!uploadIdPattern.test(id)) throw notFound('upload', id);
  return id;
}

export async function findUpload(
  { uploads }: Context,
  tenant: string,
  id: string,
): Promise<Upload> {
  const upload = await uploads.get(tenant, id);
  if (upload === null) throw notFound('upload', id);
  return upload;
}

/** The answer to a call that an upload does not take, for whatever reason. */
export function notTaken(
  id: string,
  result: { kind: 'missing' } | { kind: 'not_pending'; status: UploadStatus },
): ApiError {
  if (result.kind === 'missing') return notFound('upload', id);
  return new ApiError(
    'upload_not_pending',
    `Upload '${id}' has the status '${result.status}'; only a pending one takes this.`,
    { param: 'id', headers: { 'x-should-retry': 'false' } },
  );
}
