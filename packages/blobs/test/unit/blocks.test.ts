import { setImmediate as turn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { blocksInPlace, blocksOf } from '../../src/blocks.ts';

test.each([
  ['blocks', blocksOf],
  ['blocks in place', blocksInPlace],
])('%s: what was passed on is let go, also while a signal is listened to', async (_name, cut) => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  let first: WeakRef<Uint8Array> | undefined;
  let isKept = true;
  async function* source(): AsyncGenerator<Uint8Array, void, undefined> {
    for (let n = 0; n < 10; n += 1) {
      const chunk = Buffer.alloc(100_000, n);
      first ??= new WeakRef(chunk);
      yield chunk;
    }
    await turn();
    collect();
    isKept = first?.deref() !== undefined;
  }
  const { signal } = new AbortController();
  let bytes = 0;
  for await (const block of cut('a/b', source(), 100_000, { signal })) bytes += block.length;
  expect(bytes).toBe(1_000_000);
  expect(isKept).toBe(false);
});

test.each([
  ['blocks', blocksOf],
  ['blocks in place', blocksInPlace],
])('%s: the bytes of the source, in blocks of the same length', async (_name, cut) => {
  for (const lengths of [[], [0], [1], [10], [3, 7, 4], [25, 0, 5], [9, 1, 10, 11]]) {
    const all = Buffer.concat(lengths.map((length, at) => Buffer.alloc(length, at + 1)));
    async function* source(): AsyncGenerator<Uint8Array, void, undefined> {
      for (const [at, length] of lengths.entries()) yield Buffer.alloc(length, at + 1);
    }
    const blocks: Buffer[] = [];
    for await (const block of cut('a/b', source(), 10, {})) blocks.push(Buffer.from(block));
    expect(Buffer.concat(blocks)).toEqual(all);
    expect(blocks.slice(0, -1).every(({ length }) => length === 10)).toBe(true);
    expect(blocks).toHaveLength(Math.ceil(all.length / 10));
  }
});
