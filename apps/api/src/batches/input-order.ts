import { readSegments, type BlobStore } from '@nightshift/blobs';
import type { Batch, FileContent } from '@nightshift/shared/batch';
import { linesOf, readContent } from './read-file.ts';
import { formatInputCursor, noCursor, parseInputCursor } from './result-cursor.ts';
import { indexResults, type ResultIndex } from './result-index.ts';
import { PAGE_BYTES, type ResultPage } from './result-page.ts';

/** Results that are fetched together, and how far apart they may stand to be read in one go. */
const WINDOW = { lines: 512, bytes: 4_000_000 };
const LARGEST_GAP = 16_384;

/**
 * Results in the order of the input, up to the first request that has none yet. What is committed is read once for the
 * places of the results (see `indexResults`), the input from `after` on for their order; then the results are fetched a window
 * at a time. So what is held is some 55 bytes a request and one window, and never the results; the price is that each call
 * reads all results. Who reads while it runs, again and again, is better off with the order of completion.
 */
export async function pageByInput(
  blobs: BlobStore,
  batch: Batch,
  input: FileContent,
  after: string | undefined,
  limit: number | undefined,
): Promise<ResultPage> {
  const from = parseInputCursor(after);
  const index = await indexResults(blobs, batch);
  const numbers: number[] = [];
  let bytes = 0;
  let next = from;
  let hasMore = false;
  for await (const line of linesOf(readContent(blobs, input, from))) {
    const number = index.numberOf(customIdOfRequest(line.bytes));
    if (number === null) break;
    const { start, end } = index.rangeOf(number);
    const isFull = numbers.length > 0 && bytes + end - start > PAGE_BYTES;
    if (limit !== undefined && (numbers.length === limit || isFull)) {
      hasMore = true;
      break;
    }
    numbers.push(number);
    bytes += end - start;
    next = from + line.end;
  }
  return {
    source: fetchInOrder(blobs, index, numbers),
    bytes,
    nextAfter: formatInputCursor(next),
    hasMore,
  };
}

/** The batch's conductor has checked the whole file: only a place of a caller's own making can lie within a line. */
function customIdOfRequest(bytes: Buffer): string {
  let customId: unknown;
  try {
    ({ custom_id: customId } = JSON.parse(bytes.toString('utf8')) as { custom_id?: unknown });
  } catch {
    throw noCursor('input');
  }
  if (typeof customId !== 'string') throw noCursor('input');
  return customId;
}

async function* fetchInOrder(
  blobs: BlobStore,
  index: ResultIndex,
  numbers: readonly number[],
): AsyncGenerator<Uint8Array, void, undefined> {
  for (let from = 0; from < numbers.length;) {
    let to = from;
    let bytes = 0;
    while (to < numbers.length && to - from < WINDOW.lines) {
      const { start, end } = index.rangeOf(numbers[to] ?? 0);
      if (to > from && bytes + end - start > WINDOW.bytes) break;
      bytes += end - start;
      to += 1;
    }
    yield await fetchWindow(blobs, index, numbers.slice(from, to));
    from = to;
  }
}

async function fetchWindow(
  blobs: BlobStore,
  index: ResultIndex,
  numbers: readonly number[],
): Promise<Buffer> {
  const places = numbers.map((number, order) => ({ ...index.rangeOf(number), order }));
  places.sort((a, b) => a.start - b.start);
  const found: Buffer[] = [];
  for (let first = 0; first < places.length;) {
    const start = places[first]?.start ?? 0;
    let end = start;
    let last = first;
    while (last < places.length && (places[last]?.start ?? 0) - end <= LARGEST_GAP) {
      end = places[last]?.end ?? 0;
      last += 1;
    }
    const piece = await collect(readSegments(blobs, index.segments, { start, end }));
    for (const place of places.slice(first, last)) {
      found[place.order] = piece.subarray(place.start - start, place.end - start);
    }
    first = last;
  }
  return Buffer.concat(found);
}

async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks);
}
