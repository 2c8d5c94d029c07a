import type { PutOptions } from './blob-store.ts';
import { BlobTooLargeError } from './errors.ts';

/**
 * The source cut anew into blocks of exactly `blockBytes`, the last one shorter; no block for an empty source. Checks the
 * size on the way.
 */
export async function* blocksOf(
  name: string,
  source: AsyncIterable<Uint8Array>,
  blockBytes: number,
  { signal, maxBytes = Infinity }: PutOptions,
): AsyncGenerator<Buffer, void, undefined> {
  let pieces: Uint8Array[] = [];
  let held = 0;
  let total = 0;
  for await (const chunk of untilAborted(source, signal)) {
    total += chunk.length;
    if (total > maxBytes) throw new BlobTooLargeError(name, maxBytes);
    pieces.push(chunk);
    held += chunk.length;
    if (held < blockBytes) continue;
    const all = Buffer.concat(pieces, held);
    let from = 0;
    for (; held - from >= blockBytes; from += blockBytes) {
      yield all.subarray(from, from + blockBytes);
    }
    pieces = from < held ? [all.subarray(from)] : [];
    held -= from;
  }
  if (held > 0) yield Buffer.concat(pieces, held);
}

async function* untilAborted(
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  signal?.throwIfAborted();
  if (signal === undefined) {
    yield* source;
    return;
  }
  const iterator = source[Symbol.asyncIterator]();
  let stop: (reason: unknown) => void = () => {};
  const abort = (): void => stop(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  let ended = false;
  try {
    for (;;) {
      // Not a race against one promise for all reads: that would keep every chunk until the last.
      const next = await new Promise<IteratorResult<Uint8Array>>((resolve, reject) => {
        stop = reject;
        iterator.next().then(resolve, reject);
      });
      signal.throwIfAborted();
      if (next.done === true) {
        ended = true;
        return;
      }
      yield next.value;
      signal.throwIfAborted();
    }
  } finally {
    signal.removeEventListener('abort', abort);
    // Not waited for: a source that is silent does not hear it before it speaks again.
    if (!ended) iterator.return?.().catch(() => {});
  }
}
