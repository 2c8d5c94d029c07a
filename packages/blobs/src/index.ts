export type { BlobEntry, BlobRange, BlobStore, PutOptions, SegmentWriter } from './blob-store.ts';
export {
  BlobDamagedError,
  BlobNotFoundError,
  BlobStoreFullError,
  BlobStoreUnavailableError,
  BlobTooLargeError,
} from './errors.ts';
export { parseBlobLocation, type BlobLocation } from './location.ts';
export {
  configuredBlobsAt,
  configuredLocation,
  openBlobStore,
  openConfiguredBlobs,
} from './open.ts';
export { readSegments, type CommittedSegment } from './read-segments.ts';
