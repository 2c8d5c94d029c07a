import { Worker } from 'bullmq';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { createLaneQueues, laneQueueOptions, type Delivery } from '../../src/bullmq/index.ts';
import { createFairShare } from '../../src/redis/index.ts';
import { openStores, type Stores } from '../support/stores.ts';

let stores: Stores;
beforeAll(async () => {
  stores = await openStores(inject('redisUrl'));
});
afterAll(async () => stores.close());

let deliveries = 0;
const deliveriesOf = (tenant: string, count: number, tokens: number): Delivery[] =>
  Array.from({ length: count }, () => {
    deliveries += 1;
    return { deliveryId: `job_${deliveries}.1`, tenant, tokens: [tokens, 0, 1] };
  });

/** A lane of its own, with its deliveries in the order in which a worker takes them. */
function openLane(laneId: string) {
  const { redis, keys, run } = stores;
  const fairShare = createFairShare({ run, keys });
  const queues = createLaneQueues({ redis, keys, share: () => fairShare });
  const options = { ...laneQueueOptions(keys, laneId, redis), autorun: false };
  const reader = new Worker('bulk', null, options);
  return {
    add: async (added: Delivery[]) => queues.add(laneId, 'bulk', added),
    waiting: async () => (await queues.counts(laneId)).queued.bulk,
    take: async (count: number): Promise<string[]> => {
      const tenants: string[] = [];
      while (tenants.length < count) {
        const job = await reader.getNextJob('token', { block: false });
        if (job === undefined) break;
        tenants.push((job.data as { tenant: string }).tenant);
        await job.moveToCompleted(null, 'token', false);
      }
      return tenants;
    },
    close: async () => {
      await reader.close();
      await queues.close();
    },
  };
}

const share = (taken: string[], tenant: string): number =>
  taken.filter((name) => name === tenant).length;

it('lets a tenant with a few jobs pass the thousand of another', async () => {
  const lane = openLane('lane_a');
  await lane.add(deliveriesOf('many', 1000, 500));
  await lane.add(deliveriesOf('few', 20, 500));
  expect(await lane.waiting()).toBe(1020);
  expect(share(await lane.take(42), 'few')).toBe(20);
  await lane.close();
});

it('shares by length where tokens are not counted', async () => {
  const lane = openLane('lane_length');
  const of = (tenant: string, count: number, characters: number): Delivery[] =>
    deliveriesOf(tenant, count, 0).map((each) => ({ ...each, tokens: null, characters }));
  // With the usual 250 tokens of an answer: 2250 and 450.
  await lane.add(of('long', 40, 8000));
  await lane.add(of('short', 40, 800));
  const taken = await lane.take(24);
  expect(share(taken, 'short') / share(taken, 'long')).toBeCloseTo(5, 0);
  await lane.close();
});

it('shares by tokens, not by jobs', async () => {
  const lane = openLane('lane_b');
  await lane.add(deliveriesOf('large', 100, 4000));
  await lane.add(deliveriesOf('small', 400, 1000));
  const taken = await lane.take(100);
  expect(share(taken, 'small') / share(taken, 'large')).toBeGreaterThan(3.4);
  expect(share(taken, 'small') / share(taken, 'large')).toBeLessThan(4.6);
  await lane.close();
});

it('takes a bundle for all that is in it, in shares and in counts', async () => {
  const lane = openLane('lane_bundles');
  const bundles = Array.from({ length: 50 }, () => {
    const [first, ...others] = deliveriesOf('bundled', 8, 500);
    return { ...(first as Delivery), others };
  });
  await lane.add(bundles);
  await lane.add(deliveriesOf('single', 400, 500));
  expect(await lane.waiting()).toBe(800);
  const taken = await lane.take(90);
  expect(share(taken, 'single') / (8 * share(taken, 'bundled'))).toBeGreaterThan(0.8);
  expect(share(taken, 'single') / (8 * share(taken, 'bundled'))).toBeLessThan(1.25);
  expect(await lane.waiting()).toBe(800 - share(taken, 'single') - 8 * share(taken, 'bundled'));
  await lane.close();
});

it('gives no credit for having been idle, and holds no debt against it', async () => {
  const lane = openLane('lane_c');
  await lane.add(deliveriesOf('early', 200, 1000));
  await lane.take(100);
  await lane.add([...deliveriesOf('late', 100, 1000), ...deliveriesOf('early', 100, 1000)]);
  // What "early" had queued before stands at the same time as what "late" brings now.
  const taken = await lane.take(100);
  expect(Math.abs(share(taken, 'late') - 50)).toBeLessThanOrEqual(2);
  await lane.close();
});

it('begins anew when a queue was empty', async () => {
  const lane = openLane('lane_d');
  await lane.add(deliveriesOf('first', 50, 1000));
  await lane.take(50);
  await lane.add([...deliveriesOf('second', 10, 1000), ...deliveriesOf('first', 10, 1000)]);
  const taken = await lane.take(10);
  expect(share(taken, 'first')).toBe(5);
  await lane.close();
});
