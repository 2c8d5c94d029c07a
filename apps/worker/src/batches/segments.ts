import type { BlobStore } from '@nightshift/blobs';
import type { ResultSegment } from '@nightshift/shared/batch';

type SegmentWriter = Awaited<ReturnType<BlobStore['openSegment']>>;

/** One of a batch's two files while it grows. */
export interface GrowingFile {
  /** Resolves, when the lines are durable, to all segments with them. Nothing is lost by an append that rejects. */
  append(lines: readonly string[]): Promise<readonly ResultSegment[]>;
  readonly segments: readonly ResultSegment[];
  close(): Promise<void>;
}

/**
 * Writes segments of one conductor's own, named by its epoch. After a failed append the same lines go into a new one: what
 * the store kept of the old beyond its committed length is never read.
 */
export function growFile(
  blobs: BlobStore,
  name: (number: number) => string,
  committed: readonly ResultSegment[],
): GrowingFile {
  let segments = [...committed];
  let current: { writer: SegmentWriter; name: string; lines: number } | null = null;
  let opened = 0;
  return {
    get segments() {
      return segments;
    },
    append: async (lines) => {
      if (lines.length === 0) return segments;
      if (current === null) {
        opened += 1;
        const segment = name(opened);
        current = { writer: await blobs.openSegment(segment), name: segment, lines: 0 };
      }
      const { writer } = current;
      try {
        const bytes = await writer.append(Buffer.from(lines.join('')));
        current.lines += lines.length;
        const grown = { name: current.name, bytes, lines: current.lines };
        segments = [...segments.filter((segment) => segment.name !== grown.name), grown];
        return segments;
      } catch (error) {
        const { name: left, lines: kept } = current;
        current = null;
        await writer.close().catch(() => undefined);
        // Nothing of it was ever committed, and a full disk must not fill with such.
        if (kept === 0) await blobs.removeSegment(left).catch(() => undefined);
        throw error;
      }
    },
    close: async () => {
      await current?.writer.close();
      current = null;
    },
  };
}
