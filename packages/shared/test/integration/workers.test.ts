import { afterEach, beforeEach, expect, inject, it } from 'vitest';
import { FORGOTTEN_AFTER_MS, type WorkerBeat } from '../../src/fleet/index.ts';
import { createWorkerStore, type WorkerStore } from '../../src/redis/index.ts';
import { openStores, type Stores } from '../support/stores.ts';

let stores: Stores;
let workers: WorkerStore;
beforeEach(async () => {
  stores = await openStores(inject('redisUrl'));
  workers = createWorkerStore(stores);
});
afterEach(async () => {
  await stores.close();
});

const beat = (more: Partial<WorkerBeat> = {}): WorkerBeat => ({
  id: 'worker_1',
  host: 'host-a',
  pid: 4711,
  version: '0.1.0',
  state: 'alive',
  slots: 64,
  slotsUsed: 0,
  lanes: 1,
  ...more,
});
/** Sets a worker's last heartbeat to this long ago. */
const silenceFor = async (id: string, ms: number): Promise<void> => {
  const { nowMs } = await workers.all();
  await stores.redis.zadd(stores.keys.workers.seen, nowMs - ms, id);
};
const states = async () =>
  Object.fromEntries((await workers.all()).workers.map(({ id, state }) => [id, state]));

it('shows a worker’s last report, its start and its last heartbeat', async () => {
  expect((await workers.all()).workers).toEqual([]);
  const startedAtMs = await workers.beat(beat(), null);
  await workers.beat(beat({ slotsUsed: 7, lanes: 3 }), startedAtMs);
  const { nowMs, workers: all } = await workers.all();
  const lastSeenAtMs = all[0]?.lastSeenAtMs ?? 0;
  expect(all).toEqual([{ ...beat({ slotsUsed: 7, lanes: 3 }), startedAtMs, lastSeenAtMs }]);
  expect(lastSeenAtMs).toBeGreaterThanOrEqual(startedAtMs);
  expect(lastSeenAtMs).toBeLessThanOrEqual(nowMs);
});

it('shows a worker as silent after 12 s without a heartbeat, and as alive after the next one', async () => {
  const startedAtMs = await workers.beat(beat(), null);
  await workers.beat(beat({ id: 'worker_2', state: 'stopping' }), null);
  await silenceFor('worker_1', 11_000);
  expect(await states()).toEqual({ worker_1: 'alive', worker_2: 'stopping' });
  await silenceFor('worker_1', 12_500);
  await silenceFor('worker_2', 12_500);
  expect(await states()).toEqual({ worker_1: 'silent', worker_2: 'silent' });
  await workers.beat(beat(), startedAtMs);
  expect(await states()).toEqual({ worker_1: 'alive', worker_2: 'silent' });
});

it('removes a stopped worker at once, and a silent one after ten minutes', async () => {
  await workers.beat(beat(), null);
  await workers.beat(beat({ id: 'worker_2' }), null);
  await workers.beat(beat({ id: 'worker_3' }), null);
  await workers.forget('worker_1');
  await workers.forget('worker_1');
  await silenceFor('worker_2', FORGOTTEN_AFTER_MS + 1000);
  expect(await states()).toEqual({ worker_3: 'alive' });
  expect(await stores.redis.hkeys(stores.keys.workers.records)).toContain('worker_2');
  await workers.beat(beat({ id: 'worker_3' }), null);
  expect(await stores.redis.hkeys(stores.keys.workers.records)).toEqual(['worker_3']);
});
