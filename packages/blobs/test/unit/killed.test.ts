import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { openBlobStore } from '../../src/index.ts';
import { text } from '../support/conformance.ts';

const writer = fileURLToPath(new URL('../support/write-until-killed.ts', import.meta.url));

test(
  'a process killed in the middle of its writes leaves whole blobs, what it promised, and temporary files',
  { timeout: 120_000 },
  async () => {
    for (let round = 0; round < 4; round += 1) {
      const root = await mkdtemp(join(tmpdir(), 'nightshift-killed-'));
      const child = spawn(process.execPath, ['--conditions=source', writer, root], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const exited = once(child, 'exit');
      const promised: { put: number; append: number } = { put: -1, append: 0 };
      const enough = Promise.withResolvers<void>();
      createInterface({ input: child.stdout }).on('line', (line) => {
        const [what, number] = line.split(' ');
        promised[what as 'put' | 'append'] = Number(number);
        if (promised.put >= 1 && promised.append > 0) enough.resolve();
      });
      await enough.promise;
      // At any moment of a put, not just after its end.
      await sleep(Math.random() * 20);
      child.kill('SIGKILL');
      await exited;

      const store = await openBlobStore(`file:${root}`, {});
      const seen: number[] = [];
      for await (const { name, bytes } of store.list('files/')) {
        const number = Number(name.slice('files/'.length));
        seen.push(number);
        expect(bytes).toBe(3_000_000);
        expect((await text(store.read(name))) === String(number % 10).repeat(bytes)).toBe(true);
      }
      expect(seen).toEqual(
        expect.arrayContaining(Array.from({ length: promised.put + 1 }, (_, at) => at)),
      );
      const segment = store.readSegment('batch-1/1', { start: 0, end: promised.append });
      expect((await text(segment)) === '0123456789'.repeat(promised.append / 10)).toBe(true);

      const leftovers = (await readdir(join(root, 'blobs/files'))).filter((leaf) =>
        leaf.endsWith('.tmp'),
      );
      expect(leftovers.length).toBeLessThanOrEqual(1);
      expect(await store.sweepTemporary(0)).toBe(leftovers.length);
      expect((await readdir(join(root, 'blobs/files'))).length).toBe(seen.length);
      await store.close();
      await rm(root, { recursive: true });
    }
  },
);
