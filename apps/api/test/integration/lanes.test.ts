import { laneListSchema, laneSchema } from '@nightshift/shared/http';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { createTestApi, type TestApi } from '../support/api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await createTestApi(inject('redisUrl'));
});
afterAll(async () => {
  await api.close();
});

const lanes = async () => laneListSchema.parse((await api.get('/v1/lanes')).json());

it('lists each lane with its state, its queues and its calls', async () => {
  expect((await lanes()).data).toEqual([]);
  await api.submit({ body: { model: 'm-b' } });
  await api.submit({ body: { model: 'm-a' }, priority: 'bulk' });
  await api.submit({ body: { model: 'm-a' }, priority: 'bulk' });
  await api.deliveryBuffer.drain();
  const [first] = (await lanes()).data;
  await api.lanes.addCalls(first?.id ?? '', Date.now(), { calls: 7, refused: 2 });
  await api.lanes.cool(first?.id ?? '', 60_000, 0);
  const { data, first_id: firstId, last_id: lastId, has_more: hasMore } = await lanes();
  expect([firstId, lastId, hasMore]).toEqual([data[0]?.id, data[1]?.id, false]);
  expect(data).toEqual([
    {
      id: expect.stringMatching(/^lane_[0-9a-f]{16}$/),
      object: 'lane',
      provider: 'default',
      model: 'm-a',
      state: 'cooling',
      reason: 'rate_limit',
      message: expect.stringContaining('rate limit is reached'),
      until: expect.any(Number),
      limits: {
        requests_per_minute: null,
        tokens_per_minute: null,
        concurrency: null,
        source: 'none',
      },
      pacing: {
        remaining_requests: null,
        remaining_tokens: null,
        next_call_at: { interactive: null, bulk: null },
        probing: false,
      },
      in_flight: 0,
      queued: { interactive: 0, bulk: 2 },
      calls_last_minute: 7,
      refused_last_minute: 2,
      last_refused_at: expect.any(Number),
    },
    expect.objectContaining({ model: 'm-b', state: 'open', reason: null, until: null }),
  ]);
});

it('pauses and resumes a lane, seen by its jobs at once', async () => {
  const job = await api.submit({ body: { model: 'm-paused' } });
  const id = (await lanes()).data.find(({ model }) => model === 'm-paused')?.id;
  const waiting = async () =>
    (await api.get(`/v1/jobs/${job.id}`)).json<typeof job>()['waiting_for'];
  expect(await waiting()).toBeNull();

  const paused = await api.post(`/v1/lanes/${id}/pause`, '');
  expect(paused.statusCode).toBe(200);
  expect(laneSchema.parse(paused.json())).toMatchObject({
    id,
    state: 'paused',
    reason: 'paused',
    until: null,
  });
  expect(await waiting()).toMatchObject({ reason: 'paused', until: null });
  const next = await api.submit({ body: { model: 'm-paused' } });
  expect(next['waiting_for']).toMatchObject({ reason: 'paused' });

  const resumed = await api.post(`/v1/lanes/${id}/resume`, '');
  expect(resumed.json()).toMatchObject({ id, state: 'open', reason: null });
  expect(await waiting()).toBeNull();
});
