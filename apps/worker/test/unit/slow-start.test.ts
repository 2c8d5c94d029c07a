import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createSlowStart } from '../../src/lanes/slow-start.ts';

const never = new AbortController().signal;
const turn = async (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it('holds nobody back before a breaker has closed', async () => {
  const start = createSlowStart(4);
  for (let call = 0; call < 100; call += 1) expect(await start.enter(never)).toBe(true);
  expect(start.room).toBe(Infinity);
});

it('lets two call, and twice as many each time they succeed, until all slots may be used', async () => {
  const start = createSlowStart(16);
  start.begin();
  for (const limit of [2, 4, 8, 16]) {
    expect(start.room).toBe(limit);
    for (let call = 0; call < limit; call += 1) expect(await start.enter(never)).toBe(true);
    expect(start.room).toBe(0);
    for (let call = 0; call < limit; call += 1) start.leave('succeeded');
  }
  expect(start.room).toBe(Infinity);
});

it('does not grow by calls that fail', async () => {
  const start = createSlowStart(16);
  start.begin();
  for (let call = 0; call < 50; call += 1) {
    await start.enter(never);
    start.leave('other');
  }
  expect(start.room).toBe(2);
});

it('lets the next one in when a call has ended, and sends the others round again', async () => {
  const start = createSlowStart(16);
  start.begin();
  await start.enter(never);
  await start.enter(never);
  const waiters = [start.enter(never), start.enter(never)];
  start.leave('other');
  expect((await Promise.all(waiters)).filter(Boolean)).toHaveLength(1);
  const waiting = start.enter(never);
  start.wake();
  expect(await waiting).toBe(false);
});

it('lets nobody wait once the worker stops', async () => {
  const start = createSlowStart(16);
  start.begin();
  await start.enter(never);
  await start.enter(never);
  const stopping = new AbortController();
  const waiting = start.enter(stopping.signal);
  await turn();
  stopping.abort();
  expect(await waiting).toBe(false);
});

it('never lets more call than it allows, whatever comes back', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom('enter', 'succeeded', 'other', 'begin'), { maxLength: 200 }),
      async (steps) => {
        const start = createSlowStart(8);
        start.begin();
        let inside = 0;
        for (const step of steps) {
          if (step === 'begin') start.begin();
          else if (step === 'enter') {
            if (start.room > 0 && (await start.enter(never))) inside += 1;
          } else if (inside > 0) {
            start.leave(step);
            inside -= 1;
          }
          expect(start.room).toBeGreaterThanOrEqual(0);
        }
      },
    ),
  );
});
