import { expect, test } from 'vitest';
import { supervise } from '../../src/stack/supervise.ts';

/** A part whose ends are made by hand, on a clock that only the pauses and the test move. */
function setUp(startAgain: () => Promise<void> = async () => {}) {
  const ending = new AbortController();
  const said: string[] = [];
  const pauses: number[] = [];
  let nowMs = 0;
  let ended = Promise.withResolvers<string>();
  let starts = 0;
  const done = supervise(
    {
      name: 'worker',
      untilEnded: async () => await ended.promise,
      startAgain: async () => {
        starts += 1;
        ended = Promise.withResolvers<string>();
        await startAgain();
      },
    },
    {
      signal: ending.signal,
      say: (line) => said.push(line),
      now: () => nowMs,
      pause: async (ms) => {
        pauses.push(ms);
        nowMs += ms;
      },
    },
  );
  return {
    ...{ said, pauses, done },
    stop: () => ending.abort(),
    starts: () => starts,
    end: async (afterMs: number) => {
      const before = said.length;
      nowMs += afterMs;
      ended.resolve('SIGKILL');
      while (!said.slice(before).some((line) => line.endsWith('runs again'))) {
        await new Promise(setImmediate);
      }
    },
  };
}

test('starts it again, after pauses that grow while it does not last', async () => {
  const part = setUp();
  for (let times = 0; times < 9; times += 1) await part.end(1000);
  expect(part.pauses).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
  await part.end(60_000);
  expect(part.pauses.at(-1)).toBe(500);
  expect(part.said.slice(0, 2)).toEqual([
    'worker ended (SIGKILL); starting it again in 0.5 s',
    'worker runs again',
  ]);
  part.stop();
  await part.done;
  expect(part.starts()).toBe(10);
});

test('a start that fails is said and tried again', async () => {
  let failures = 2;
  const part = setUp(async () => {
    if (failures > 0) {
      failures -= 1;
      throw new Error('no redis');
    }
  });
  await part.end(0);
  expect(part.pauses).toEqual([500, 1000, 2000]);
  expect(part.said[1]).toBe('worker did not start: no redis; starting it again in 1 s');
  part.stop();
  await part.done;
});

test('the signal ends the watch, also before it began', async () => {
  const part = setUp();
  part.stop();
  part.stop();
  await part.done;
  expect(part.starts()).toBe(0);
});
