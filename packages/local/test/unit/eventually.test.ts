import { expect, test } from 'vitest';
import { eventually } from '../../src/eventually.ts';

test('returns the first truthy value', async () => {
  let looks = 0;
  const value = await eventually(() => (++looks === 3 ? `look ${looks}` : null), { intervalMs: 1 });
  expect(value).toBe('look 3');
});

test('a throwing look is "not yet"', async () => {
  let looks = 0;
  const value = await eventually(
    async () => {
      looks += 1;
      if (looks < 3) throw new Error('too early');
      return looks;
    },
    { intervalMs: 1 },
  );
  expect(value).toBe(3);
});

test('the error tells what was waited for and the last value', async () => {
  await expect(
    eventually(() => 0, { timeoutMs: 20, intervalMs: 1, describe: 'the queue to fill' }),
  ).rejects.toThrow('waited 20 ms for the queue to fill; last value: 0');
});

test('the error tells the last error and carries it', async () => {
  const cause = new Error('connection refused');
  const waiting = eventually(
    () => {
      throw cause;
    },
    { timeoutMs: 20, intervalMs: 1 },
  );
  await expect(waiting).rejects.toThrow('last error: connection refused');
  await expect(waiting).rejects.toMatchObject({ cause });
});

test('a look that never returns does not outlive the deadline', async () => {
  await expect(
    eventually(async () => await new Promise<never>(() => {}), { timeoutMs: 20 }),
  ).rejects.toThrow('did not return');
});
