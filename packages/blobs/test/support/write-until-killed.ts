// Puts blobs and appends to a segment without end, and prints each promise the moment it is made:
// `put N` when blob N is durable, `append N` when N bytes of the segment are. `write-until-killed.ts ROOT`.
import { openBlobStore } from '../../src/index.ts';

const store = await openBlobStore(`file:${process.argv[2]}`, {});
const BYTES = 3_000_000;

async function* letters(letter: string): AsyncGenerator<Uint8Array> {
  for (let sent = 0; sent < BYTES; sent += 100_000) yield Buffer.alloc(100_000, letter);
}

async function putForEver(): Promise<never> {
  for (let number = 0; ; number += 1) {
    await store.put(`files/${number}`, letters(String(number % 10)));
    process.stdout.write(`put ${number}\n`);
  }
}

async function appendForEver(): Promise<never> {
  const segment = await store.openSegment('batch-1/1');
  for (;;) {
    const length = await segment.append(Buffer.from('0123456789'.repeat(1000)));
    process.stdout.write(`append ${length}\n`);
  }
}

await Promise.all([putForEver(), appendForEver()]);
