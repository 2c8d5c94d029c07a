import { createLineSplitter } from '@nightshift/shared/batch';
import type { BulkClient } from '../client.ts';
import type { Patience } from '../patience.ts';

type Calls = { client: Pick<BulkClient, 'results'>; patience: Patience };

/** The results of a batch as they stand, byte for byte, also over a line that is cut. */
export function resultBytes(
  id: string,
  order: 'input' | 'completion',
  calls: Calls,
): AsyncGenerator<Uint8Array, void, undefined> {
  return order === 'input' ? inInputOrder(id, calls) : inCompletionOrder(id, calls);
}

/** Results that are there never change, nor does their order: after a cut it asks again and skips what it has. */
async function* inInputOrder(
  id: string,
  { client, patience }: Calls,
): AsyncGenerator<Uint8Array, void, undefined> {
  let received = 0;
  let reading: AsyncIterator<Uint8Array> | null = null;
  try {
    for (;;) {
      const next: IteratorResult<Uint8Array> = await patience.with(async () => {
        try {
          if (reading === null) {
            const { bytes } = await client.results(id, { order: 'input' });
            reading = skip(bytes[Symbol.asyncIterator](), received);
          }
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

const PAGE_LINES = 1000;

/** What succeeded stands before what failed, so it moves while the batch runs: a page is whole before it counts. */
async function* inCompletionOrder(
  id: string,
  { client, patience }: Calls,
): AsyncGenerator<Uint8Array, void, undefined> {
  let after: string | null = null;
  for (;;) {
    const place: { after?: string } = after === null ? {} : { after };
    const page = await patience.with(async () => {
      const { bytes, nextAfter } = await client.results(id, {
        ...{ order: 'completion', limit: PAGE_LINES },
        ...place,
      });
      const chunks: Uint8Array[] = [];
      for await (const chunk of bytes) chunks.push(chunk);
      return { content: Buffer.concat(chunks), nextAfter };
    });
    if (page.content.length === 0) return;
    after = page.nextAfter;
    yield page.content;
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
