import type { SegmentWriter } from '../blob-store.ts';
import { BlobDamagedError, BlobNotFoundError } from '../errors.ts';
import { createSegmentWriter } from '../segment-writer.ts';
import type { Bucket } from './client.ts';
import { download } from './download.ts';
import { inOrder } from './in-order.ts';
import { objects } from './objects.ts';
import { putObject } from './upload.ts';

/** Enough for a petabyte, so that keys sort as their offsets do. */
const OFFSET_DIGITS = 15;
const READ_AHEAD = 4;

const folderOf = (name: string): string => `segments/${name}/`;

/** An object cannot grow: a segment is one object for each append, and its name is the offset at which it begins. */
export async function openSegment(bucket: Bucket, name: string): Promise<SegmentWriter> {
  for await (const { path } of objects(bucket, folderOf(name), 1)) {
    throw new Error(`segment ${name}: exists already (${path}), and a segment has one owner`);
  }
  return createSegmentWriter(name, {
    writeAt: async (offset, bytes) => {
      const path = folderOf(name) + String(offset).padStart(OFFSET_DIGITS, '0');
      await putObject(bucket, name, path, bytes);
    },
    close: async () => {},
  });
}

export async function* readSegment(
  bucket: Bucket,
  name: string,
  { start, end }: { start: number; end: number },
): AsyncGenerator<Uint8Array, void, undefined> {
  const reads: (() => AsyncGenerator<Uint8Array, void, undefined>)[] = [];
  let length = 0;
  let parts = 0;
  for await (const { path, bytes } of objects(bucket, folderOf(name))) {
    parts += 1;
    // A gap: an object between is lost, and what follows it cannot stand in for it.
    if (Number(path.slice(-OFFSET_DIGITS)) !== length) break;
    const from = Math.max(0, start - length);
    const to = Math.min(bytes, end - length);
    if (from < to) reads.push(() => download(bucket, name, path, { start: from, end: to }));
    length += bytes;
    if (length >= end) break;
  }
  if (parts === 0) throw new BlobNotFoundError(name);
  if (length < end) throw new BlobDamagedError(name, end, length);
  yield* inOrder(reads, READ_AHEAD);
}
