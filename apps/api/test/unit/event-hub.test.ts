import type { Subscriber } from '@nightshift/shared/redis';
import { eventually } from '@nightshift/local';
import { expect, it } from 'vitest';
import { createEventHub, type JobSignal } from '../../src/event-hub.ts';

function fakeSubscriber() {
  const log: string[] = [];
  let onMessage: ((message: string) => void) | undefined;
  let onResumed: (() => void) | undefined;
  let failure: Error | undefined;
  const subscriber: Subscriber = {
    subscribe: async (channel, listener) => {
      log.push(`subscribe ${channel}`);
      if (failure !== undefined) throw failure;
      onMessage = listener;
    },
    unsubscribe: async (channel) => {
      log.push(`unsubscribe ${channel}`);
    },
    onResumed: (listener) => {
      onResumed = listener;
    },
    close: () => {},
  };
  return {
    subscriber,
    log,
    say: (message: string) => onMessage?.(message),
    resume: () => onResumed?.(),
    fail: (error: Error | undefined) => {
      failure = error;
    },
  };
}
const createHub = (releaseAfterMs = 0) => {
  const fake = fakeSubscriber();
  const hub = createEventHub({ subscriber: fake.subscriber, channel: 'events', releaseAfterMs });
  const follow = async (tenant: string, id: string) => {
    const signals: JobSignal[] = [];
    const unfollow = await hub.follow(tenant, id, (signal) => signals.push(signal));
    return { signals, unfollow };
  };
  return { ...fake, hub, follow };
};

it('subscribes once for all, and gives it up after the last', async () => {
  const { hub, follow, log } = createHub();
  const all = await Promise.all([follow('a', 'job_1'), follow('a', 'job_1'), follow('b', 'job_2')]);
  expect(log).toEqual(['subscribe events']);
  expect(hub.followers()).toBe(3);
  for (const { unfollow } of all) {
    unfollow();
    unfollow();
  }
  expect(hub.followers()).toBe(0);
  await eventually(() => log.length === 2);
  expect(log[1]).toBe('unsubscribe events');
  await follow('a', 'job_1');
  expect(log[2]).toBe('subscribe events');
});

it('keeps it for those who come back soon', async () => {
  const { follow, log } = createHub(60_000);
  (await follow('a', 'job_1')).unfollow();
  await follow('a', 'job_2');
  expect(log).toEqual(['subscribe events']);
});

it('tells each follower of its own job only', async () => {
  const { follow, say } = createHub();
  const mine = await follow('a', 'job_1');
  const other = await follow('b', 'job_1');
  say('a job_1 in_progress 2');
  say('a job_1 completed 3');
  say('a job_2 completed 2');
  say('nonsense');
  expect(mine.signals).toEqual(['changed', 'settled']);
  expect(other.signals).toEqual([]);
});

it('asks all to read again after a reconnect, and to finish at the end', async () => {
  const { hub, follow, resume } = createHub();
  const one = await follow('a', 'job_1');
  resume();
  hub.finishAll();
  expect(one.signals).toEqual(['reread', 'closing']);
  const late = await follow('a', 'job_2');
  expect(late.signals).toEqual(['closing']);
});

it('holds on to nobody when Redis is away', async () => {
  const { hub, follow, fail, log } = createHub();
  fail(new Error('Connection is closed.'));
  await expect(Promise.all([follow('a', 'job_1'), follow('a', 'job_2')])).rejects.toThrow('closed');
  await eventually(() => hub.followers() === 0);
  fail(undefined);
  await follow('a', 'job_1');
  expect(log.filter((line) => line.startsWith('subscribe')).length).toBe(2);
});

it('hears every line of a message that tells of several jobs', async () => {
  const { follow, say } = createHub();
  const [one, two, other] = [
    await follow('a', 'job_1'),
    await follow('a', 'job_2'),
    await follow('b', 'job_1'),
  ];
  say('a job_1 in_progress 2\na job_3 completed 3\na job_2 failed 3\na job_1 completed 3');
  expect(one.signals).toEqual(['changed', 'settled']);
  expect(two.signals).toEqual(['settled']);
  expect(other.signals).toEqual([]);
});
