import { BlobNotFoundError } from '@nightshift/blobs';
import type { Batch } from '@nightshift/shared/batch';
import { ApiError } from '@nightshift/shared/errors';
import type { BatchContext } from './batch-context.ts';
import { endOfOutput } from './result-cursor.ts';

/** Whose results are read, and where it can be looked up what became of its files. */
export interface ReadBatch {
  files: BatchContext['files'];
  batch: Batch;
}

/** Results that were there have a retention, and can be deleted as files. */
async function toGone(error: unknown, { files, batch }: ReadBatch): Promise<unknown> {
  if (!(error instanceof BlobNotFoundError)) return error;
  const isThere = async (id: string | null): Promise<boolean> =>
    id !== null && (await files.get(batch.tenant, id)) !== null;
  const { outputFileId: output, errorFileId: failures } = batch;
  const [hasOutput, hasFailures] = [await isThere(output), await isThere(failures)];
  return new ApiError('not_found', describe(), { param: 'id', cause: error });

  function describe(): string {
    const gone = [hasOutput ? null : output, hasFailures ? null : failures]
      .filter((id) => id !== null)
      .map((id) => `'${id}'`);
    if (gone.length === 0) return 'The files of this batch were deleted, or have expired.';
    if (gone.length === 2) {
      return `The files ${gone.join(' and ')} of this batch were deleted, or have expired.`;
    }
    if (hasFailures) {
      return `The output file ${gone[0]} of this batch was deleted, or has expired; what its error file holds is read with after=${endOfOutput(batch)}.`;
    }
    const rest = hasOutput ? `; what succeeded is in file '${output}'` : '';
    const kind = output === null || hasOutput ? 'error' : 'output';
    return `The ${kind} file ${gone[0]} of this batch was deleted, or has expired${rest}.`;
  }
}

export async function orGone<Value>(reading: Promise<Value>, of: ReadBatch): Promise<Value> {
  try {
    return await reading;
  } catch (error) {
    throw await toGone(error, of);
  }
}

/** Reads ahead by one chunk, so that what cannot be read at all is an error and not a broken answer. */
export async function begun(
  source: AsyncIterable<Uint8Array>,
  of: ReadBatch,
): Promise<AsyncIterable<Uint8Array>> {
  const iterator = source[Symbol.asyncIterator]();
  const first = await orGone(iterator.next(), of);
  return (async function* () {
    try {
      for (let next = first; next.done !== true; next = await iterator.next()) yield next.value;
    } finally {
      await iterator.return?.();
    }
  })();
}
