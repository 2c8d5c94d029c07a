import { BlobNotFoundError } from '@nightshift/blobs';
import { ApiError } from '@nightshift/shared/errors';

/** Results that were there have a retention, and can be deleted as files. */
function toGone(error: unknown): unknown {
  if (!(error instanceof BlobNotFoundError)) return error;
  return new ApiError('not_found', 'The files of this batch were deleted, or have expired.', {
    param: 'id',
    cause: error,
  });
}

export async function orGone<Value>(reading: Promise<Value>): Promise<Value> {
  try {
    return await reading;
  } catch (error) {
    throw toGone(error);
  }
}

/** Reads ahead by one chunk, so that what cannot be read at all is an error and not a broken answer. */
export async function begun(source: AsyncIterable<Uint8Array>): Promise<AsyncIterable<Uint8Array>> {
  const iterator = source[Symbol.asyncIterator]();
  const first = await orGone(iterator.next());
  return (async function* () {
    try {
      for (let next = first; next.done !== true; next = await iterator.next()) yield next.value;
    } finally {
      await iterator.return?.();
    }
  })();
}
