import { readSegments, type BlobStore } from '@nightshift/blobs';
import type { Batch, ResultSegment } from '@nightshift/shared/batch';
import { linesOf } from './read-file.ts';
import {
  formatCompletionCursor,
  parseCompletionCursor,
  type CompletionCursor,
} from './result-cursor.ts';
import { PAGE_BYTES, type ResultPage } from './result-page.ts';

/**
 * Results as they were committed: first the new ones of those that succeeded, then of the others. Only whole lines are
 * ever committed, and only at the end, so a place in them stays what it is.
 */
export async function pageByCompletion(
  blobs: BlobStore,
  batch: Batch,
  after: string | undefined,
  limit: number | undefined,
): Promise<ResultPage> {
  const committed = {
    output: bytesOf(batch.output),
    failures: bytesOf(batch.failures),
  };
  const from = parseCompletionCursor(after, committed);
  if (limit === undefined) {
    return {
      source: readBoth(blobs, batch, from),
      bytes: committed.output - from.output + committed.failures - from.failures,
      nextAfter: formatCompletionCursor(committed),
      hasMore: false,
    };
  }
  const lines: Buffer[] = [];
  let bytes = 0;
  const next = { ...from };
  for (const part of ['output', 'failures'] as const) {
    if (from[part] === committed[part]) continue;
    if (lines.length === limit) break;
    for await (const line of linesOf(readSegments(blobs, batch[part], { start: from[part] }))) {
      if (lines.length === limit || (lines.length > 0 && bytes + line.bytes.length > PAGE_BYTES)) {
        break;
      }
      lines.push(Buffer.concat([line.bytes, NEW_LINE]));
      bytes += line.bytes.length + 1;
      next[part] = from[part] + line.end;
    }
    if (next[part] < committed[part]) break;
  }
  return {
    source: inOne(lines),
    bytes,
    nextAfter: formatCompletionCursor(next),
    hasMore: next.output < committed.output || next.failures < committed.failures,
  };
}

const NEW_LINE = Buffer.from('\n');

function bytesOf(segments: readonly ResultSegment[]): number {
  return segments.reduce((sum, { bytes }) => sum + bytes, 0);
}

async function* readBoth(
  blobs: BlobStore,
  { output, failures }: Batch,
  from: CompletionCursor,
): AsyncGenerator<Uint8Array, void, undefined> {
  yield* readSegments(blobs, output, { start: from.output });
  yield* readSegments(blobs, failures, { start: from.failures });
}

async function* inOne(pieces: readonly Buffer[]): AsyncGenerator<Uint8Array, void, undefined> {
  if (pieces.length > 0) yield Buffer.concat(pieces);
}
