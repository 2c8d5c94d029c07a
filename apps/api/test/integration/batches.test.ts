import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { createBatchApi, errorOf, inputFile, type BatchApi } from '../support/batches.ts';

let api: BatchApi;
let file: string;
beforeAll(async () => {
  api = await createBatchApi(inject('redisUrl'), {
    apiKeys: 'a:key-of-tenant-a,b:key-of-tenant-b',
  });
  file = await api.upload(inputFile(3), { tenant: 'a' });
});
afterAll(async () => {
  await api.close();
});

const a = { authorization: 'Bearer key-of-tenant-a' };
const b = { authorization: 'Bearer key-of-tenant-b' };
const create = async (): Promise<string> => {
  const answer = await api.post(
    '/v1/batches',
    { endpoint: '/v1/chat/completions', completion_window: '24h', input_file_id: file },
    a,
  );
  expect(answer.statusCode, answer.body).toBe(200);
  return answer.json<{ id: string }>().id;
};
const unknown = `batch_${'0'.repeat(32)}`;

describe('GET /v1/batches', () => {
  it('lists newest first, in pages', async () => {
    const ids: string[] = [];
    for (let n = 0; n < 5; n += 1) ids.unshift(await create());
    const first = (await api.get('/v1/batches?limit=2', a)).json<Page>();
    expect(first).toMatchObject({
      object: 'list',
      first_id: ids[0],
      last_id: ids[1],
      has_more: true,
    });
    const next = (await api.get(`/v1/batches?limit=100&after=${ids[1]}`, a)).json<Page>();
    expect(next.data.map(({ id }) => id).slice(0, 3)).toEqual(ids.slice(2));
    expect(next.has_more).toBe(false);
    expect((await api.get('/v1/batches', b)).json()).toEqual({
      object: 'list',
      data: [],
      first_id: null,
      last_id: null,
      has_more: false,
    });
  });
  interface Page {
    data: { id: string }[];
    has_more: boolean;
  }

  it.each([
    ['limit=101', 'limit', 'integer_above_max_value'],
    ['limit=0', 'limit', 'integer_below_min_value'],
    ['limit=x', 'limit', 'invalid_value'],
    [`after=${unknown}`, 'after', 'invalid_value'],
    ['status=failed', 'status', 'unknown_parameter'],
  ])('refuses %s', async (query, param, code) => {
    const answer = await api.get(`/v1/batches?${query}`, a);
    expect(answer.statusCode).toBe(400);
    expect(errorOf(answer)).toMatchObject({ param, code });
  });
});

it('says 404 on every route to who asks for what is not his', async () => {
  const id = await create();
  for (const [path, headers] of [
    [id, b],
    [unknown, a],
    ['batch_x', a],
    ['%00', a],
  ] as const) {
    for (const rest of ['', '/results', '/errors', '/events']) {
      const answer = await api.get(`/v1/batches/${path}${rest}`, headers);
      expect(answer.statusCode, `${path}${rest}`).toBe(404);
      expect(errorOf(answer)).toMatchObject({ code: 'not_found', param: 'id' });
    }
    for (const call of ['cancel', 'pause', 'resume', 'retry']) {
      const answer = await api.post(`/v1/batches/${path}/${call}`, {}, headers);
      expect(answer.statusCode, call).toBe(404);
    }
  }
});

describe('POST /v1/batches/ID/cancel', () => {
  it('cancels, also when asked twice, with the empty JSON body that Python sends', async () => {
    const id = await create();
    for (const payload of ['', '{}', '']) {
      const answer = await api.post(`/v1/batches/${id}/cancel`, payload, a);
      expect(answer.statusCode, answer.body).toBe(200);
      expect(answer.json()).toMatchObject({ id, status: 'cancelling' });
    }
    api.batches.move(id, { status: 'cancelled' });
    const answer = await api.post(`/v1/batches/${id}/cancel`, '', a);
    expect(answer.json()).toMatchObject({ status: 'cancelled' });
  });

  it.each(['completed', 'failed', 'expired'] as const)('refuses a %s one', async (status) => {
    const id = await create();
    api.batches.move(id, { status });
    const answer = await api.post(`/v1/batches/${id}/cancel`, '', a);
    expect(answer.statusCode).toBe(409);
    expect(answer.headers['x-should-retry']).toBe('false');
    expect(errorOf(answer)).toMatchObject({
      message: `Cannot cancel a batch with status '${status}'.`,
      code: 'batch_not_cancellable',
    });
  });
});

it('pauses and resumes; a settled batch stays as it is', async () => {
  const id = await create();
  expect((await api.post(`/v1/batches/${id}/pause`, '', a)).json()).toMatchObject({ paused: true });
  expect((await api.get(`/v1/batches/${id}`, a)).json()).toMatchObject({ paused: true });
  expect((await api.post(`/v1/batches/${id}/resume`, '', a)).json()).toMatchObject({
    paused: false,
  });
  api.batches.move(id, { status: 'completed' });
  const answer = await api.post(`/v1/batches/${id}/pause`, '', a);
  expect(answer.json()).toMatchObject({ status: 'completed', paused: false });
  const bad = await api.post(`/v1/batches/${id}/pause`, { why: 1 }, a);
  expect(errorOf(bad)).toMatchObject({ code: 'unknown_parameter', param: 'why' });
});
