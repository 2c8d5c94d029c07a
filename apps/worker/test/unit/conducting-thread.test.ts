import { randomUUID } from 'node:crypto';
import { BroadcastChannel } from 'node:worker_threads';
import { eventually } from '@nightshift/local';
import type { Clock } from '@nightshift/shared/clock';
import { loadConfiguration } from '@nightshift/shared/config';
import type { Logger } from '@nightshift/shared/telemetry';
import { afterEach, expect, it } from 'vitest';
import { createConductingThread } from '../../src/batches/conducting-thread.ts';
import type { Conductors } from '../../src/batches/conductors.ts';

const puppet = new URL('../conducting/puppet-thread.ts', import.meta.url);
const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const each of open.splice(0)) await each.close();
});

interface SetUp {
  conductors: Conductors;
  /** What the threads have told, with the number of each. */
  told: string[];
  deaths: { reason: string }[];
  slept: number[];
}

function setUp(
  variables: Record<string, string>,
  { sleep = async () => undefined, monotonic = () => 0 }: Partial<Clock> = {},
  program = puppet,
): SetUp {
  const name = randomUUID();
  const channel = new BroadcastChannel(name);
  const seen: Omit<SetUp, 'conductors'> = { told: [], deaths: [], slept: [] };
  channel.addEventListener('message', (message) => {
    const { workerId, event } = (message as Event & { data: { workerId: string; event: string } })
      .data;
    seen.told.push(`${workerId} ${event}`);
  });
  const conductors = createConductingThread(
    {
      variables: { ...variables, CHANNEL: name },
      configuration: loadConfiguration({}),
      workerId: 'worker_1',
    },
    {
      clock: {
        now: () => 0,
        monotonic,
        sleep: async (ms, signal) => {
          seen.slept.push(ms);
          await sleep(ms, signal);
        },
      },
      logger: { error: (event: { reason: string }) => seen.deaths.push(event) } as object as Logger,
    },
    program,
  );
  open.push({ close: async () => conductors.stop() }, channel);
  return { conductors, ...seen };
}

it('passes on what it is told, and stops with its thread', async () => {
  const { conductors, told, deaths } = setUp({ ON_STOP: 'leave' });
  conductors.nudge();
  await conductors.start();
  conductors.nudge();
  await eventually(() => told.includes('worker_1-1 nudge'));
  await Promise.all([conductors.stop(), conductors.stop()]);
  await conductors.stop();
  conductors.nudge();
  await eventually(() => told.length === 3);
  expect(told).toEqual(['worker_1-1 start', 'worker_1-1 nudge', 'worker_1-1 stop']);
  expect(deaths).toEqual([]);
});

it('stops what was never started, and does not start it any more', async () => {
  const { conductors, told } = setUp({});
  await conductors.stop();
  await conductors.start();
  await conductors.stop();
  expect(told).toEqual([]);
});

it.each([
  ['throw', /^Error: struck\n[^]*, with code 1$/],
  ['reject', /^Error: struck\n[^]*, with code 1$/],
  ['leave', /^it ended, with code 0$/],
])('replaces a thread that ends by %s, and says so', async (deed, reason) => {
  const { conductors, told, deaths } = setUp({ ON_NUDGE: deed, ON_STOP: 'leave' });
  await conductors.start();
  for (let number = 1; number <= 3; number += 1) {
    await eventually(() => told.includes(`worker_1-${number} start`));
    conductors.nudge();
    await eventually(() => deaths.length === number);
  }
  expect(deaths[0]?.reason).toMatch(reason);
  await eventually(() => told.includes('worker_1-4 start'));
  await conductors.stop();
  expect(deaths).toHaveLength(3);
});

it('waits longer for one that dies again and again, but not for long', async () => {
  const { conductors, slept } = setUp({ ON_START: 'throw' });
  await conductors.start();
  await eventually(() => slept.length >= 5);
  await conductors.stop();
  expect(slept.slice(0, 5)).toEqual([1000, 2000, 4000, 4000, 4000]);
});

it('waits a second only for one that had lived for a while', async () => {
  let nowMs = 0;
  const { conductors, slept } = setUp(
    { ON_START: 'throw' },
    { monotonic: () => (nowMs += 60_000) },
  );
  await conductors.start();
  await eventually(() => slept.length >= 3);
  await conductors.stop();
  expect(slept.slice(0, 3)).toEqual([1000, 1000, 1000]);
});

it('stops while it waits for the next', async () => {
  const sleep: Clock['sleep'] = async (_ms, signal) =>
    new Promise((_resolve, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    });
  const { conductors, slept, told } = setUp({ ON_START: 'leave' }, { sleep });
  await conductors.start();
  await eventually(() => slept.length === 1);
  await conductors.stop();
  expect(told).toEqual(['worker_1-1 start']);
});

it('stops when the thread dies of stopping, and says so', async () => {
  const { conductors, told, deaths } = setUp({ ON_STOP: 'throw' });
  await conductors.start();
  await conductors.stop();
  expect(deaths).toHaveLength(1);
  expect(told.filter((event) => event.endsWith('start'))).toHaveLength(1);
});

it('goes on trying when there is nothing to run', async () => {
  const { conductors, deaths } = setUp({}, {}, new URL('./missing.ts', import.meta.url));
  await conductors.start();
  await eventually(() => deaths.length >= 2);
  expect(deaths[0]?.reason).toMatch(/Cannot find module/);
});
