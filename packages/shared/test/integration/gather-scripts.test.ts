import { Queue, Worker, type Job } from 'bullmq';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, inject, test, vi, type MockInstance } from 'vitest';
import { eventually } from '@nightshift/local';
import { createLaneQueues, laneQueueOptions, type LaneQueues } from '../../src/bullmq/index.ts';
import { laneOf } from '../../src/lane/index.ts';
import { newTenant, openStores, type Stores } from '../support/stores.ts';

let stores: Stores;
let queues: LaneQueues;
let commands: MockInstance<Redis['sendCommand']>;
/** Script calls that left through the connection. */
const sent = (): number =>
  commands.mock.calls.filter(([{ name }]) => name.startsWith('eval')).length;

beforeAll(async () => {
  stores = await openStores(inject('redisUrl'));
  queues = createLaneQueues(stores);
  commands = vi.spyOn(stores.redis as Redis, 'sendCommand');
});
afterAll(async () => {
  await queues.close();
  await stores.close();
});

const newLane = (): string => laneOf(newTenant(), 'm', 'default').id;
const deliveries = (count: number) =>
  Array.from({ length: count }, (_, at) => ({
    deliveryId: `job_${at}.1`,
    tenant: 't',
    tokens: null,
  }));
const names = (jobs: readonly Job[]): (string | undefined)[] => jobs.map(({ id }) => id);

const openQueue = (laneId: string) =>
  new Queue('bulk', laneQueueOptions(stores.keys, laneId, stores.redis));
const openWorker = (laneId: string, run: ((job: Job) => Promise<null>) | null) =>
  new Worker('bulk', run, {
    ...laneQueueOptions(stores.keys, laneId, stores.redis),
    concurrency: 30,
    removeOnComplete: { count: 0 },
  });

test('deliveries of one turn: a call for 32 of them, in their order, none twice', async () => {
  const lane = newLane();
  await queues.add(lane, 'bulk', deliveries(1));
  commands.mockClear();
  await queues.add(lane, 'bulk', [...deliveries(100), ...deliveries(100)]);
  expect(sent()).toBe(Math.ceil(200 / 32));
  const queue = openQueue(lane);
  expect(names(await queue.getWaiting())).toEqual(deliveries(100).map((one) => one.deliveryId));
  await queue.close();
});

test('two lanes and two priorities at once: each queue has its own', async () => {
  const [one, two] = [newLane(), newLane()];
  await Promise.all([
    queues.add(one, 'bulk', deliveries(3)),
    queues.add(one, 'interactive', deliveries(4)),
    queues.add(two, 'bulk', deliveries(5)),
  ]);
  expect((await queues.counts(one)).queued).toEqual({ bulk: 3, interactive: 4 });
  expect((await queues.counts(two)).queued).toEqual({ bulk: 5, interactive: 0 });
});

test('a worker finishes what it took and is handed the next, each once', async () => {
  const lane = newLane();
  await queues.add(lane, 'bulk', deliveries(200));
  commands.mockClear();
  const seen: (string | undefined)[] = [];
  const worker = openWorker(lane, async ({ id }) => {
    seen.push(id);
    return null;
  });
  await eventually(async () => seen.length >= 200 && (await queues.counts(lane)).inFlight === 0);
  expect(seen).toHaveLength(200);
  expect(new Set(seen)).toEqual(new Set(deliveries(200).map((one) => one.deliveryId)));
  expect((await queues.counts(lane)).queued.bulk).toBe(0);
  expect(sent()).toBeLessThan(200);
  await worker.close();
});

test('what one of them is refused for is told to its caller alone', async () => {
  const lane = newLane();
  await queues.add(lane, 'bulk', deliveries(3));
  const worker = openWorker(lane, null);
  const taken = [
    await worker.getNextJob('token'),
    await worker.getNextJob('token'),
    await worker.getNextJob('token'),
  ];
  commands.mockClear();
  const results = await Promise.allSettled(
    taken.map(async (job, at) =>
      job?.moveToCompleted(null, at === 1 ? 'not its token' : 'token', false),
    ),
  );
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(String((results[1] as PromiseRejectedResult).reason)).toMatch(/lock/i);
  expect(sent()).toBe(1);
  expect((await queues.counts(lane)).inFlight).toBe(1);
  await worker.close();
});

test('an error of Redis reaches its callers in its own words', async () => {
  const lane = newLane();
  const queue = openQueue(lane);
  await stores.redis.set(queue.toKey('wait'), 'text');
  await expect(queues.add(lane, 'bulk', deliveries(2))).rejects.toThrow(/^WRONGTYPE/);
  await queue.close();
});

test('in a pipeline they stay single', async () => {
  const lane = newLane();
  const queue = openQueue(lane);
  await queue.addBulk(
    deliveries(5).map(({ deliveryId }) => ({ name: 'job', data: {}, opts: { jobId: deliveryId } })),
  );
  expect(names(await queue.getWaiting())).toEqual(deliveries(5).map((one) => one.deliveryId));
  await queue.close();
});
