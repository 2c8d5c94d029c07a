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
  limits: PutOptions,
): AsyncGenerator<Buffer, void, undefined> {
  let pieces: Uint8Array[] = [];
  let held = 0;
  for await (const chunk of withinLimits(name, source, limits)) {
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

/**
 * The same, but all blocks are one piece of memory, which holds the next block once that has been asked for: buffers of
 * their own would be garbage by the hundred megabytes before V8 looks for it.
 */
export async function* blocksInPlace(
  name: string,
  source: AsyncIterable<Uint8Array>,
  blockBytes: number,
  limits: PutOptions,
): AsyncGenerator<Buffer, void, undefined> {
  let block: Buffer | undefined;
  let held = 0;
  for await (const chunk of withinLimits(name, source, limits)) {
    block ??= Buffer.allocUnsafeSlow(blockBytes);
    let from = 0;
    while (from < chunk.length) {
      const part = chunk.subarray(from, from + blockBytes - held);
      block.set(part, held);
      from += part.length;
      held += part.length;
      if (held < blockBytes) continue;
      yield block;
      held = 0;
    }
  }
  if (block !== undefined && held > 0) yield block.subarray(0, held);
}

async function* withinLimits(
  name: string,
  source: AsyncIterable<Uint8Array>,
  { signal, maxBytes = Infinity }: PutOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  let total = 0;
  for await (const chunk of untilAborted(source, signal)) {
    total += chunk.length;
    if (total > maxBytes) throw new BlobTooLargeError(name, maxBytes);
    yield chunk;
  }
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
