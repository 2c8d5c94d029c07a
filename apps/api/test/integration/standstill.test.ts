import { eventually } from '@nightshift/local';
import { systemClock } from '@nightshift/shared/clock';
import type { Fleet, FleetWorker } from '@nightshift/shared/fleet';
import { batchSchema, workerListSchema } from '@nightshift/shared/http';
import { laneOf } from '@nightshift/shared/lane';
import { createWorkerStore, loadScripts } from '@nightshift/shared/redis';
import type { Logger } from '@nightshift/shared/telemetry';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { startNoWorkerLog } from '../../src/no-worker-log.ts';
import { idleWorker } from '../support/api.ts';
import { createBatchApi, inputFile, type BatchApi } from '../support/batches.ts';

let api: BatchApi;
let fleet: FleetWorker[];
let isAnswering: boolean;
const workers = {
  all: async (): Promise<Fleet> => {
    if (!isAnswering) throw new Error('Redis is away');
    return { nowMs: Date.now(), workers: fleet };
  },
};
beforeEach(async () => {
  fleet = [idleWorker()];
  isAnswering = true;
  api = await createBatchApi(inject('redisUrl'), { workers });
});
afterEach(async () => {
  await api.close();
});

interface Shown {
  waiting_for: { reason: string; message: string; until: number | null } | null;
}
const waitOf = async (url: string) => (await api.get(url)).json<Shown>().waiting_for;
/** The fleet and the lanes are remembered for a quarter of a second. */
const becomes = async (url: string, reason: string | null) => {
  await eventually(async () => ((await waitOf(url))?.reason ?? null) === reason, {
    describe: `${url} to wait for ${reason}`,
  });
  return waitOf(url);
};
const inProgress = async (model: string | null = 'gpt-test'): Promise<string> => {
  const { id } = await api.create({ input_file_id: await api.upload(inputFile(10)) });
  api.batches.move(id, {
    status: 'in_progress',
    model,
    counts: { total: 10, completed: 0, failed: 0 },
  });
  return id;
};
const lane = laneOf('default', 'gpt-test', 'default');
const queued = (count: number, laneId = lane.id) => ({
  isMoving: false,
  groups: [{ laneId, state: 'queued' as const, count, retryAtMs: null, message: '' }],
});

describe('GET /v1/workers', () => {
  it('lists them as stored', async () => {
    const store = createWorkerStore({ run: loadScripts(api.redis), keys: api.keys });
    const own = await createBatchApi(inject('redisUrl'), { workers: store });
    const { id, host, pid, version, slots } = idleWorker();
    const beat = { host, pid, version, slots, slotsUsed: 3, lanes: 2 };
    await store.beat({ ...beat, id, state: 'alive' }, null);
    await store.beat({ ...beat, id: 'worker_2', state: 'stopping' }, null);
    const answer = await own.get('/v1/workers');
    const list = workerListSchema.parse(answer.json());
    expect(list).toMatchObject({ first_id: id, last_id: 'worker_2', has_more: false });
    expect(list.data[0]).toEqual({
      ...{ id, object: 'worker', host, pid, version, state: 'alive' },
      ...{ slots, slots_used: 3, lanes: 2 },
      ...{ started_at: expect.any(Number), last_seen_at: expect.any(Number) },
    });
    expect(list.data[1]).toMatchObject({ id: 'worker_2', state: 'stopping' });
    await own.close();
  });
});

describe('waiting_for', () => {
  it('of a batch, in every answer that shows one: no worker, even before its input was read', async () => {
    fleet = [];
    const created = await api.create({ input_file_id: await api.upload(inputFile(2)) });
    const noWorker = {
      reason: 'no_worker',
      until: null,
      message: expect.stringContaining('nightshift worker'),
    };
    expect(created).toMatchObject({ status: 'validating', waiting_for: noWorker });
    expect(batchSchema.parse((await api.get(`/v1/batches/${created.id}`)).json())).toMatchObject({
      waiting_for: noWorker,
    });
    const page = (await api.get('/v1/batches')).json<{ data: Shown[] }>();
    expect(page.data[0]?.waiting_for).toMatchObject(noWorker);
    for (const call of ['pause', 'resume', 'cancel']) {
      const answer = await api.post(`/v1/batches/${created.id}/${call}`, {});
      expect(answer.json(), call).toMatchObject({ waiting_for: noWorker });
    }
    api.batches.move(created.id, { status: 'cancelled' });
    expect(await waitOf(`/v1/batches/${created.id}`)).toBeNull();
  });

  it('of a batch: its lines’ lanes, storage, slots, and null while it progresses', async () => {
    const url = `/v1/batches/${await inProgress()}`;
    const id = url.split('/').at(-1) ?? '';
    expect(await waitOf(url)).toBeNull();
    await api.lanes.register(lane);
    api.batches.place(id, queued(10));
    expect(await waitOf(url)).toBeNull();
    fleet = [idleWorker({ slotsUsed: 64 })];
    expect((await becomes(url, 'no_slot'))?.message).toContain('WORKER_CONCURRENCY');
    await api.lanes.pauseForProvider(
      lane.id,
      'unauthorized',
      'The provider answered 401: Incorrect API key provided (sk-abcdefghxyz).',
      false,
    );
    expect((await becomes(url, 'lane_paused'))?.message).toMatch(
      /^gpt-test at the default provider: 401 Incorrect API key provided \(sk-…xyz\)\. Set OPENAI_API_KEY for the workers and restart them; next try \d\d:\d\d:\d\d UTC\.$/,
    );
    api.batches.move(id, { heldUp: { reason: 'storage', message: 'The blob store is full.' } });
    expect(await waitOf(url)).toEqual({
      ...{ reason: 'storage', message: 'The blob store is full.', until: null },
    });
    api.batches.move(id, { paused: true });
    expect(await waitOf(url)).toMatchObject({ reason: 'paused' });
    api.batches.move(id, { paused: false, heldUp: null });
    api.batches.place(id, { isMoving: true, groups: [] });
    expect(await waitOf(url)).toBeNull();
  });

  it('of a batch, a job and a lane: the provider is unreachable', async () => {
    const job = await api.submit();
    await api.deliveryBuffer.drain();
    const nowMs = Date.now();
    await api.redis.hset(api.keys.lane(lane.id).state, {
      unreachable_since: nowMs - 60_000,
      failures: 17,
      last_error: 'fetch failed (ECONNREFUSED)',
      trial_at: nowMs + 30_000,
    });
    const id = await inProgress();
    // Before its first line is fed it waits for the lane of its one model.
    api.batches.place(id, { isMoving: false, groups: [] });
    const urls = [`/v1/jobs/${job.id}`, `/v1/batches/${id}`];
    for (const url of urls) {
      const wait = await becomes(url, 'provider_unreachable');
      expect(wait?.message).toContain('ECONNREFUSED) (17 failed calls since ');
      expect(wait?.until).toBe(Math.ceil((nowMs + 30_000) / 1000));
    }
    const { data } = (await api.get('/v1/lanes')).json<{ data: object[] }>();
    expect(data).toMatchObject([{ state: 'unreachable', reason: 'provider_unreachable' }]);
    expect((await api.get('/metrics')).body).toMatch(
      /nightshift_lane_state\{[^}]*state="unreachable"\} 1/,
    );
  });

  it('of a job: no worker, no slot, paused by an operator', async () => {
    fleet = [];
    const { id } = await api.submit();
    const url = `/v1/jobs/${id}`;
    await becomes(url, 'no_worker');
    fleet = [idleWorker({ slotsUsed: 64 })];
    await becomes(url, null);
    await api.redis.hset(api.keys.tenant('default').job(id), 'created_at', Date.now() - 10_000);
    await becomes(url, 'no_slot');
    await api.post(`/v1/lanes/${lane.id}/pause`, '');
    await becomes(url, 'paused');
  });

  it('hides the provider’s message about one tenant’s request from the others', async () => {
    const own = await createBatchApi(inject('redisUrl'), {
      workers,
      apiKeys: 'a:key-of-a,b:key-of-b',
    });
    const a = { authorization: 'Bearer key-of-a' };
    const { id } = await own.submit({}, a);
    await own.lanes.pauseForProvider(
      lane.id,
      'forbidden',
      'The provider answered 403: Your input "SECRET" was flagged.',
      false,
    );
    const seen = async () => (await own.get(`/v1/jobs/${id}`, a)).body;
    await eventually(async () => (await seen()).includes('lane_paused'));
    const answers = [
      await seen(),
      (await own.get('/v1/lanes', { authorization: 'Bearer key-of-b' })).body,
    ];
    for (const answer of answers) {
      expect(answer).not.toContain('SECRET');
      expect(answer).toContain('it answered 403');
    }
    await own.close();
  });

  it('is left out when Redis fails; the batch is returned all the same', async () => {
    isAnswering = false;
    const created = await api.create({ input_file_id: await api.upload(inputFile(2)) });
    expect(created).toMatchObject({ status: 'validating', waiting_for: null });
  });
});

it('events report when a batch starts waiting, why, and when that ends', async () => {
  const id = await inProgress();
  api.batches.place(id, queued(10));
  const base = await api.listen();
  const stream = await fetch(`${base}/v1/batches/${id}/events`);
  let text = '';
  const reading = (async () => {
    for await (const chunk of stream.body ?? []) text += Buffer.from(chunk).toString();
  })();
  const waits = (): (string | null)[] =>
    [...text.matchAll(/^data: (.*)$/gm)].map(([, data = '']) => {
      const event = JSON.parse(data) as { batch: Shown };
      return event.batch.waiting_for?.reason ?? null;
    });
  await eventually(() => waits().length === 1);
  fleet = [];
  await eventually(() => waits().length === 2);
  fleet = [idleWorker()];
  await eventually(() => waits().length === 3);
  expect(waits()).toEqual([null, 'no_worker', null]);
  expect(text).toContain('event: batch.progressed');
  api.batches.move(id, { status: 'completed' });
  await reading;
  expect(waits()).toEqual([null, 'no_worker', null, null]);
});

it('metrics count workers, slots, and waiting work by reason', async () => {
  fleet = [
    idleWorker({ slotsUsed: 5 }),
    idleWorker({ id: 'worker_2', slots: 8, slotsUsed: 8 }),
    idleWorker({ id: 'worker_3', state: 'silent' }),
  ];
  await api.submit();
  await api.deliveryBuffer.drain();
  await api.lanes.pauseForOperator(lane.id);
  const id = await inProgress();
  api.batches.move(id, { paused: true });
  const lines = (await api.get('/metrics')).body.split('\n');
  for (const line of [
    'nightshift_workers{state="alive"} 2',
    'nightshift_workers{state="silent"} 1',
    'nightshift_workers{state="stopping"} 0',
    'nightshift_worker_slots 72',
    'nightshift_worker_slots_used 13',
    'nightshift_waiting{object="batch",reason="paused"} 1',
    'nightshift_waiting{object="lane",reason="paused"} 1',
    'nightshift_waiting{object="delivery",reason="paused"} 1',
    'nightshift_waiting{object="batch",reason="no_worker"} 0',
  ]) {
    expect(lines).toContain(line);
  }
});

it('logs once when work is open and no worker is alive, and once when one is alive again', async () => {
  const lines: string[] = [];
  const logger = {
    warn: (...said: unknown[]) => lines.push(String(said.at(-1))),
    debug: () => {},
  } as unknown as Logger;
  fleet = [];
  let looks = 0;
  const counting = {
    all: async () => {
      looks += 1;
      return workers.all();
    },
  };
  const log = startNoWorkerLog({
    ...{ workers: counting, jobs: api.jobs, batches: api.batches },
    ...{ clock: systemClock, logger, everyMs: 5 },
  });
  await eventually(() => looks > 10);
  expect(lines).toEqual([]);
  await api.submit();
  await eventually(() => lines.length === 1);
  const seen = looks;
  await eventually(() => looks > seen + 5);
  fleet = [idleWorker()];
  await eventually(() => lines.length === 2);
  log.stop();
  log.stop();
  expect(lines).toEqual(['workers.none_alive', 'workers.alive_again']);
});
