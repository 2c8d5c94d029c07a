import { createHash } from 'node:crypto';
import type { BlobStore } from '@nightshift/blobs';
import type { Upload, UploadPart } from '@nightshift/shared/batch';
import { ApiError } from '@nightshift/shared/errors';

/**
 * The parts in the order that the caller names.
 * @throws ApiError when one is not of this upload or named twice, or they do not add up to what was announced.
 */
export function orderParts(upload: Upload, partIds: readonly string[]): UploadPart[] {
  const wrong = (rule: string): ApiError =>
    new ApiError('invalid_value', `Invalid 'part_ids': ${rule}.`, { param: 'part_ids' });
  const parts = partIds.map((id, at) => {
    const part = upload.parts.get(id);
    if (part === undefined) throw wrong(`'${id}' is no part of this upload`);
    if (partIds.indexOf(id) !== at) throw wrong(`'${id}' must be given once`);
    return part;
  });
  const bytes = parts.reduce((sum, part) => sum + part.bytes, 0);
  if (bytes !== upload.bytes) {
    throw wrong(
      `the parts have ${bytes} bytes together, and 'bytes' of this upload is ${upload.bytes}`,
    );
  }
  return parts;
}

/**
 * Writes the parts one after the other into one blob.
 * @throws ApiError when the whole has another checksum than the caller says; then there is no blob.
 */
export async function joinParts(
  blobs: BlobStore,
  blob: string,
  parts: readonly UploadPart[],
  md5: string | null,
): Promise<void> {
  const hash = createHash('md5');
  await blobs.put(blob, joined());

  async function* joined(): AsyncGenerator<Uint8Array, void, undefined> {
    for (const part of parts) {
      for await (const chunk of blobs.read(part.blob)) {
        hash.update(chunk);
        yield chunk;
      }
    }
    const found = hash.digest('hex');
    if (md5 !== null && md5.toLowerCase() !== found) {
      throw new ApiError('invalid_value', `Invalid 'md5': the parts together have ${found}.`, {
        param: 'md5',
      });
    }
  }
}
