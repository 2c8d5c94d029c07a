import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';
import { expect, inject, it } from 'vitest';

const script = fileURLToPath(new URL('../memory/left-behind.ts', import.meta.url));
/** As a worker is started, with room enough that no major collection tidies up meanwhile. */
const flags = [
  '--expose-gc',
  '--single-threaded-gc',
  '--max-semi-space-size=16',
  '--heap-growing-percent=400',
  '--conditions=source',
];

it.each([
  ['calls in flight', 100],
  ['those who wait for a slot', 100],
  ['calls of a provider', 200],
  // What ioredis makes of a command before it can be told.
  ['script calls', 500],
])('%s leave less than %i bytes each among the old objects', async (subject, most) => {
  const args = [...flags, script, subject, inject('redisUrl')];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  expect(Number(stdout)).toBeLessThan(most);
});
