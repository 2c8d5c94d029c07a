import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { systemClock } from '@nightshift/shared/clock';
import { eventually } from '@nightshift/local';
import { expect, it } from 'vitest';
import type { Context } from '../../src/context.ts';
import type { JobSignal } from '../../src/event-hub.ts';
import { untilSettled } from '../../src/until-settled.ts';

/** `read` is called for each read of the job, with what tells its follower. */
function setUp(read: (say: (signal: JobSignal) => void, count: number) => string) {
  let reads = 0;
  let following = 0;
  let say: (signal: JobSignal) => void = () => {};
  const response = Object.assign(new EventEmitter(), { destroyed: false });
  const context = {
    clock: systemClock,
    eventHub: {
      follow: async (_tenant: string, _id: string, listener: (signal: JobSignal) => void) => {
        say = listener;
        following += 1;
        return () => {
          following -= 1;
        };
      },
    },
    jobs: {
      get: async () => {
        reads += 1;
        // What the read brings was true before the signal that comes while it is under way.
        return { status: read(say, reads) };
      },
    },
  } as unknown as Context;
  return {
    response,
    wait: async (waitMs = 60_000) =>
      untilSettled(context, 'default', 'job_1', waitMs, response as unknown as ServerResponse),
    reads: () => reads,
    say: (signal: JobSignal) => {
      say(signal);
    },
    following: () => following,
  };
}

it('reads again when the job settled while it was being read', async () => {
  const { wait, reads, following } = setUp((say, count) => {
    if (count === 1) say('settled');
    return count === 1 ? 'in_progress' : 'completed';
  });
  expect(await wait()).toEqual({ status: 'completed' });
  expect(reads()).toBe(2);
  expect(following()).toBe(0);
});

it('reads again after a reconnect, and goes on waiting if nothing happened', async () => {
  let status = 'queued';
  const { wait, reads, say } = setUp(() => status);
  const waiting = wait();
  await eventually(() => reads() === 1);
  say('changed');
  say('reread');
  await eventually(() => reads() === 2);
  status = 'failed';
  say('settled');
  expect(await waiting).toEqual({ status: 'failed' });
  expect(reads()).toBe(3);
});

it('sits an outage out, and tells of one that is not over in time', async () => {
  const answers = ['queued', 'away', 'away', 'completed', 'queued', 'away'];
  const { wait, say, reads, following } = setUp((_say, count) => {
    const answer = answers[count - 1] ?? 'away';
    if (answer === 'away') throw new Error('Connection is closed.');
    return answer;
  });
  const waiting = wait();
  await eventually(() => reads() === 1);
  say('reread');
  expect(await waiting).toEqual({ status: 'completed' });
  await expect(wait(20)).rejects.toThrow('closed');
  expect(following()).toBe(0);
});

it.each(['closing', 'gone', 'late'])('answers with what is known: %s', async (why) => {
  const { wait, reads, say, response, following } = setUp(() => 'queued');
  const waiting = wait(why === 'late' ? 1 : 60_000);
  await eventually(() => reads() >= 1);
  if (why === 'closing') say('closing');
  if (why === 'gone') response.emit('close');
  expect(await waiting).toEqual({ status: 'queued' });
  expect(following()).toBe(0);
  expect(response.listenerCount('close')).toBe(0);
});
