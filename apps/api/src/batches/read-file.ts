import { readSegments, type BlobStore } from '@nightshift/blobs';
import { createLineSplitter, type FileContent } from '@nightshift/shared/batch';

/** The bytes of a file from `start` on, wherever they are. */
export function readContent(
  blobs: BlobStore,
  content: FileContent,
  start = 0,
): AsyncGenerator<Uint8Array, void, undefined> {
  return content.kind === 'blob'
    ? blobs.read(content.name, { start })
    : readSegments(blobs, content.segments, { start });
}

export interface FileLine {
  /** Without the line feed. */
  bytes: Buffer;
  /** Where the next line begins, counted from the beginning of the source. */
  end: number;
}

/** The lines of what was checked before, or written by us: none is too long. Blank ones are left out. */
export async function* linesOf(
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<FileLine, void, undefined> {
  const splitter = createLineSplitter(Infinity);
  for await (const chunk of source) {
    for (const { bytes, byteOffset, byteLength } of splitter.push(chunk)) {
      if (bytes !== null && !isBlank(bytes)) yield { bytes, end: byteOffset + byteLength + 1 };
    }
  }
  const last = splitter.end();
  if (last?.bytes != null && !isBlank(last.bytes)) {
    yield { bytes: last.bytes, end: last.byteOffset + last.byteLength };
  }
}

function isBlank(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d);
}
