import type { BlobRange, BlobStore } from './blob-store.ts';
import { checkRange } from './names.ts';

/** A segment, and how much of it counts: what its owner committed. */
export interface CommittedSegment {
  name: string;
  bytes: number;
}

/** A range of the concatenation of segments, as `read` gives one of a blob. Bytes beyond what is committed are not looked at. */
export async function* readSegments(
  store: Pick<BlobStore, 'readSegment'>,
  segments: readonly CommittedSegment[],
  range: BlobRange = { start: 0 },
): AsyncGenerator<Uint8Array, void, undefined> {
  checkRange(range);
  const { start, end = Infinity } = range;
  let before = 0;
  for (const { name, bytes } of segments) {
    const from = Math.max(0, start - before);
    const to = Math.min(bytes, end - before);
    if (from < to) yield* store.readSegment(name, { start: from, end: to });
    before += bytes;
    if (before >= end) return;
  }
}
