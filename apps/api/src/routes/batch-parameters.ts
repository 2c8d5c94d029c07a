import { z } from 'zod';
import { batchIdPattern, type Batch } from '@nightshift/shared/batch';
import { ApiError } from '@nightshift/shared/errors';
import type { BatchContext } from '../batches/batch-context.ts';

export const batchParamsSchema = z.object({ id: z.string().describe('batch_ and 32 hex digits') });

/** The id of a path. One that cannot be an id is not looked for. */
export function batchIdOf(params: unknown): string {
  const { id } = params as { id: string };
  if (!batchIdPattern.test(id)) throw noSuchBatch(id);
  return id;
}

export async function findBatch(
  { batches }: BatchContext,
  tenant: string,
  params: unknown,
): Promise<Batch> {
  const id = batchIdOf(params);
  const batch = await batches.get(tenant, id);
  if (batch === null) throw noSuchBatch(id);
  return batch;
}

export function noSuchBatch(id: string): ApiError {
  const shown = id.length > 64 ? `${id.slice(0, 64)}…` : id;
  return new ApiError('not_found', `No batch of yours has the id '${shown}'.`, { param: 'id' });
}
