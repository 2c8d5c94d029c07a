import { setImmediate as turn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { blocksOf } from '../../src/blocks.ts';

test('what was passed on is let go, also while a signal is listened to', async () => {
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
  for await (const block of blocksOf('a/b', source(), 100_000, { signal })) bytes += block.length;
  expect(bytes).toBe(1_000_000);
  expect(isKept).toBe(false);
});
