import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createSlowStart, type SlowStart } from '../../src/lanes/slow-start.ts';

const never = new AbortController().signal;
const turn = async (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const enter = async (start: SlowStart) => {
  const leave = await start.enter(never);
  if (leave === null) throw new Error('no room');
  return leave;
};

it('limits nothing before a breaker has closed', async () => {
  const start = createSlowStart(4);
  for (let call = 0; call < 100; call += 1) await enter(start);
  expect(start.room).toBe(Infinity);
});

it('allows two calls, and twice as many each time they succeed, up to all slots', async () => {
  const start = createSlowStart(16);
  start.begin();
  for (const limit of [2, 4, 8, 16]) {
    expect(start.room).toBe(limit);
    const calls = await Promise.all(Array.from({ length: limit }, async () => enter(start)));
    expect(start.room).toBe(0);
    for (const leave of calls) leave('succeeded');
  }
  expect(start.room).toBe(Infinity);
});

it('does not count earlier calls, which may hang for a long time', async () => {
  const start = createSlowStart(16);
  const before = await Promise.all(Array.from({ length: 16 }, async () => enter(start)));
  start.begin();
  expect(start.room).toBe(2);
  const leave = await enter(start);
  for (const leaveLate of before) leaveLate('succeeded');
  expect(start.room).toBe(1);
  leave('succeeded');
  expect(start.room).toBe(2);
});

it('does not grow when calls fail', async () => {
  const start = createSlowStart(16);
  start.begin();
  for (let call = 0; call < 50; call += 1) (await enter(start))('other');
  expect(start.room).toBe(2);
});

it('admits one waiting call when a call ends, and makes the others check the lane again', async () => {
  const start = createSlowStart(16);
  start.begin();
  const leave = await enter(start);
  await enter(start);
  const waiters = [start.enter(never), start.enter(never)];
  leave('other');
  expect((await Promise.all(waiters)).filter((each) => each !== null)).toHaveLength(1);
  const waiting = start.enter(never);
  start.wake();
  expect(await waiting).toBeNull();
});

it('ends all waits once the worker stops', async () => {
  const start = createSlowStart(16);
  start.begin();
  await enter(start);
  await enter(start);
  const stopping = new AbortController();
  const waiting = start.enter(stopping.signal);
  await turn();
  stopping.abort();
  expect(await waiting).toBeNull();
});

it('never exceeds its limit, whatever the results', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom('enter', 'succeeded', 'other', 'begin'), { maxLength: 200 }),
      async (steps) => {
        const start = createSlowStart(8);
        const inside: ((outcome: 'succeeded' | 'other') => void)[] = [];
        for (const step of steps) {
          if (step === 'begin') start.begin();
          else if (step === 'enter') {
            const leave = start.room > 0 ? await start.enter(never) : null;
            if (leave !== null) inside.push(leave);
          } else inside.shift()?.(step);
          expect(start.room).toBeGreaterThanOrEqual(0);
        }
      },
    ),
  );
});
