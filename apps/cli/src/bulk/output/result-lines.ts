import { createLineSplitter } from '@nightshift/shared/batch';
import type { BulkClient } from '../client.ts';
import type { Patience } from '../patience.ts';

/**
 * The results of a batch as they stand, byte for byte. Results that are there never change, nor does their order, so after a cut
 * it asks again and skips what it has.
 */
export async function* resultBytes(
  id: string,
  order: 'input' | 'completion',
  { client, patience }: { client: BulkClient; patience: Patience },
): AsyncGenerator<Uint8Array, void, undefined> {
  let received = 0;
  const ask = async (): Promise<AsyncIterator<Uint8Array>> => {
    const source = await client.results(id, order);
    const iterator = source[Symbol.asyncIterator]();
    return skip(iterator, received);
  };
  let reading: AsyncIterator<Uint8Array> | null = null;
  try {
    for (;;) {
      const next: IteratorResult<Uint8Array> = await patience.with(async () => {
        try {
          reading ??= await ask();
          return await reading.next();
        } catch (error) {
          reading = null;
          throw error;
        }
      });
      if (next.done === true) return;
      received += next.value.length;
      yield next.value;
    }
  } finally {
    await (reading as AsyncIterator<Uint8Array> | null)?.return?.().catch(() => {});
  }
}

async function* skip(
  source: AsyncIterator<Uint8Array>,
  bytes: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  let left = bytes;
  try {
    for (;;) {
      const next = await source.next();
      if (next.done === true) return;
      const chunk = next.value;
      if (chunk.length > left) yield chunk.subarray(left);
      left = Math.max(0, left - chunk.length);
    }
  } finally {
    await source.return?.();
  }
}

/** Line by line. A result is as long as the provider made it. */
export async function* linesOf(
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<string, void, undefined> {
  const splitter = createLineSplitter(Infinity);
  for await (const chunk of source) {
    for (const { bytes } of splitter.push(chunk)) {
      if (bytes !== null && bytes.length > 0) yield bytes.toString('utf8');
    }
  }
}
