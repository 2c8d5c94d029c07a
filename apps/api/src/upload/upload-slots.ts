import { ApiError } from '@nightshift/shared/errors';

/** Uploads of each tenant that are on their way to this process. */
export interface UploadSlots {
  /**
   * Counts an upload of at most so many bytes; the caller gives it back when it has ended.
   * @throws ApiError 429 when the tenant has too many. One alone is always let in.
   */
  take(tenant: string, bytes: number): () => void;
}

export function createUploadSlots(limits: {
  uploadsAtOnce: number;
  uploadsAtOnceBytes: number;
}): UploadSlots {
  const underWay = new Map<string, { uploads: number; bytes: number }>();
  return {
    take: (tenant, bytes) => {
      const own = underWay.get(tenant) ?? { uploads: 0, bytes: 0 };
      const isFull =
        own.uploads >= limits.uploadsAtOnce || own.bytes + bytes > limits.uploadsAtOnceBytes;
      if (own.uploads > 0 && isFull) throw tooManyUploads();
      own.uploads += 1;
      own.bytes += bytes;
      underWay.set(tenant, own);
      let isGivenBack = false;
      return () => {
        if (isGivenBack) return;
        isGivenBack = true;
        own.uploads -= 1;
        own.bytes -= bytes;
        if (own.uploads === 0) underWay.delete(tenant);
      };
    },
  };
}

export function tooManyUploads(): ApiError {
  return new ApiError(
    'too_many_uploads',
    'Too many uploads of yours are under way; send this one again when others have ended.',
    { headers: { 'retry-after': '5' } },
  );
}
