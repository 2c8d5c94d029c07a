/** Half-open, in bytes; without an end up to the blob's. What lies beyond the blob is empty, not an error. */
export interface BlobRange {
  start: number;
  end?: number;
}

export interface BlobEntry {
  name: string;
  bytes: number;
  modifiedAtMs: number;
}

export interface PutOptions {
  /** Ends the put with the signal's reason, also while the source is silent. */
  signal?: AbortSignal;
  /** One byte more is a BlobTooLargeError. */
  maxBytes?: number;
}

/**
 * Where files and results live. Two implementations, one conformance suite: what is said here holds for both.
 *
 * A name is `GROUP/LEAF`, each 1 to 128 of `a-z 0-9 . _ -` that begin with a letter or a digit; a leaf does not end in
 * `.tmp`. Names are made by us, from ids. Blobs and segments do not share names.
 *
 * Besides the errors that are named, every call rejects with BlobStoreFullError when there is no room, and with
 * BlobStoreUnavailableError when the store does not answer or refuses.
 */
export interface BlobStore {
  /**
   * Writes a whole blob. It exists under its name only when it is complete and durable; before that, and after a failure,
   * the name is what it was. A second put under a name replaces the first; of concurrent ones one wins as a whole. Rejects
   * with what the source rejects with. Only when the very last step fails, the sync of a folder, the answer to the last
   * request, can the name be either; so can it when this process dies. Can be repeated.
   */
  put(
    name: string,
    source: AsyncIterable<Uint8Array>,
    options?: PutOptions,
  ): Promise<{ bytes: number }>;

  /** Throws BlobNotFoundError at the first read. A blob that is replaced or removed meanwhile is never read half and half. */
  read(name: string, range?: BlobRange): AsyncGenerator<Uint8Array, void, undefined>;

  /** Null when there is no such blob. */
  size(name: string): Promise<number | null>;

  /** Does nothing when there is no such blob. */
  remove(name: string): Promise<void>;

  /** The blobs whose names begin with `prefix`, in no particular order. Segments are none. */
  list(prefix: string): AsyncGenerator<BlobEntry, void, undefined>;

  /**
   * Starts a segment: bytes that one owner appends. The name must be new, and is the owner's alone, so it carries what
   * makes owners differ, an epoch.
   */
  openSegment(name: string): Promise<SegmentWriter>;

  /**
   * The bytes from `start` to `end` of a segment, which the caller knows to be durable, since an append said so. Throws
   * BlobNotFoundError, and BlobDamagedError when the segment is shorter.
   */
  readSegment(
    name: string,
    range: { start: number; end: number },
  ): AsyncGenerator<Uint8Array, void, undefined>;

  /** Does nothing when there is no such segment. Its owner has ended. */
  removeSegment(name: string): Promise<void>;

  /** Removes all segments of a group; does nothing when there are none. */
  removeSegments(group: string): Promise<void>;

  /**
   * Removes what puts left that never came to an end because their process died: temporary files, unfinished uploads.
   * Those younger than `olderThanMs` may still be at work. Resolves to how many.
   */
  sweepTemporary(olderThanMs: number): Promise<number>;

  /** How much to gather before an append is worth its price: so many bytes, or so long after the first. */
  readonly gather: { bytes: number; forMs: number };

  /** Can be called twice. Segment writers are closed by their owners. */
  close(): Promise<void>;
}

export interface SegmentWriter {
  /**
   * Resolves, when they are durable, to the segment's length with these bytes. Appends take their turn. After one that
   * rejects the writer is spent and all others reject too: what it wrote may yet arrive, so its place cannot be used again.
   * The owner opens another segment and appends the same bytes there.
   */
  append(bytes: Uint8Array): Promise<number>;

  /** Can be called twice. */
  close(): Promise<void>;
}
