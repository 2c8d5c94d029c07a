import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { completed, createTestApi, failed, type JobView, type TestApi } from '../support/api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await createTestApi(inject('redisUrl'));
});
afterAll(async () => {
  await api.close();
});

async function* bytesOf(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}

describe('POST /v1/jobs/ID/cancel', () => {
  it('cancels a queued job and one in progress, in the answer already', async () => {
    for (const isBegun of [false, true]) {
      const { id } = await api.submit();
      if (isBegun) await api.begin(id);
      const answer = await api.post(`/v1/jobs/${id}/cancel`, '');
      expect(answer.statusCode).toBe(200);
      expect(answer.json()).toMatchObject({
        id,
        status: 'cancelled',
        settled_at: expect.any(Number),
        error: { code: 'job_cancelled' },
      });
      expect((await api.post(`/v1/jobs/${id}/cancel`, '')).body).toBe(answer.body);
    }
  });

  it('answers a settled job as it is', async () => {
    const { id } = await api.submit();
    await api.complete(id);
    expect((await api.post(`/v1/jobs/${id}/cancel`, '')).json()).toMatchObject({
      status: 'completed',
    });
  });

  it('shuts out an answer that comes afterwards', async () => {
    const { id } = await api.submit();
    const claim = await api.begin(id);
    await api.post(`/v1/jobs/${id}/cancel`, '');
    expect(await api.attempts.settle(claim, completed)).toBe('lost');
    expect((await api.get(`/v1/jobs/${id}`)).json()).toMatchObject({ status: 'cancelled' });
  });
});

describe('DELETE /v1/jobs/ID', () => {
  const remove = async (id: string) => api.app.inject({ method: 'DELETE', url: `/v1/jobs/${id}` });

  it('removes a settled job and everything it stored, and then answers 404', async () => {
    const { id: other } = await api.submit();
    await api.complete(other);
    const before = await api.allKeys();
    for (const settlement of [completed, failed]) {
      const { id } = await api.submit();
      await api.complete(id, settlement);
      const answer = await remove(id);
      expect(answer.statusCode).toBe(200);
      expect(answer.json()).toEqual({ id, object: 'job', deleted: true });
      expect((await remove(id)).statusCode).toBe(404);
      expect((await api.get(`/v1/jobs/${id}`)).statusCode).toBe(404);
      expect((await api.get('/v1/jobs?limit=100')).body).not.toContain(id);
      expect((await api.get('/v1/jobs?limit=100&status=failed')).body).not.toContain(id);
    }
    expect((await api.get(`/v1/jobs/${other}`)).statusCode).toBe(200);
    const left = (await api.allKeys()).filter((key) => !before.includes(key));
    expect(left.filter((key) => key.includes(':job:'))).toEqual([]);
  });

  it('is refused while the job is not settled', async () => {
    const { id } = await api.submit();
    for (const status of ['queued', 'in_progress']) {
      if (status === 'in_progress') await api.begin(id);
      const answer = await remove(id);
      expect(answer.statusCode).toBe(409);
      expect(answer.headers['x-should-retry']).toBe('false');
      expect(answer.json()).toMatchObject({ error: { code: 'job_not_settled', param: 'id' } });
      expect(answer.json<{ error: { message: string } }>().error.message).toContain(status);
    }
    expect((await api.get(`/v1/jobs/${id}`)).json()).toMatchObject({ status: 'in_progress' });
  });

  it.each(['job_1', 'job_00000000000000000000000000000000', 'file-1', '%00'])(
    'is 404 for %s',
    async (id) => {
      const answer = await remove(id);
      expect(answer.statusCode).toBe(404);
      expect(answer.json()).toMatchObject({ error: { code: 'not_found' } });
    },
  );

  it('lets its idempotency key make a new job', async () => {
    const headers = { 'idempotency-key': 'deleted-once' };
    const submit = async () =>
      (await api.post('/v1/jobs', { body: { model: 'm' } }, headers)).json<JobView>().id;
    const first = await submit();
    expect(await submit()).toBe(first);
    await api.complete(first);
    await remove(first);
    const second = await submit();
    expect(second).not.toBe(first);
    expect(await submit()).toBe(second);
  });

  it('shows a large answer from the blob store, and removes it there', async () => {
    const { id } = await api.submit();
    const blob = { name: `answers-00/${id}-1`, bytes: 20 };
    await api.attempts.holdAnswer('default', blob.name);
    await api.blobs.put(blob.name, bytesOf('{"text": "12.50"}'));
    const response = { statusCode: 200, requestId: null, body: 'not this', blob };
    await api.complete(id, { ...completed, response });
    expect((await api.get(`/v1/jobs/${id}`)).body).toContain('"body":{"text": "12.50"}');
    expect((await api.get('/v1/jobs?limit=1')).body).toContain('"body":{"text": "12.50"}');
    expect((await remove(id)).statusCode).toBe(200);
    expect(await api.blobs.size(blob.name)).toBeNull();
  });
});

describe('POST /v1/jobs/ID/retry', () => {
  const failedJob = async (fields: Record<string, unknown> = {}): Promise<string> => {
    const { id } = await api.submit(fields);
    await api.complete(id, failed);
    return id;
  };

  it('makes a new job with the same request', async () => {
    const body = '{"model": "gpt-again", "n": 12345678901234567890}';
    const first = await api.post(
      '/v1/jobs',
      `{"body":${body},"priority":"bulk","metadata":{"a":"b"},"max_attempts":3,"expires_after":"1h","endpoint":"/v1/responses"}`,
    );
    const { id } = first.json<JobView>();
    await api.complete(id, failed);
    const answer = await api.post(`/v1/jobs/${id}/retry`, '');
    expect(answer.statusCode).toBe(202);
    const job = answer.json<JobView & { created_at: number; expires_at: number }>();
    expect(answer.headers.location).toBe(`/v1/jobs/${job.id}`);
    expect(job).toMatchObject({
      status: 'queued',
      retry_of: id,
      model: 'gpt-again',
      priority: 'bulk',
      endpoint: '/v1/responses',
      metadata: { a: 'b' },
    });
    expect(job.id).not.toBe(id);
    expect(job.expires_at - job.created_at).toBe(3600);
    expect(await api.jobs.getBody('default', job.id)).toBe(body);
    expect((await api.get(`/v1/jobs/${job.id}`)).body).toBe(answer.body);
    expect((await api.get(`/v1/jobs/${id}`)).json()).toMatchObject({ status: 'failed' });
  });

  it('honours the idempotency key, and makes two jobs without', async () => {
    const id = await failedJob();
    const retry = async (headers = {}) =>
      (await api.post(`/v1/jobs/${id}/retry`, '', headers)).json<JobView>().id;
    const key = { 'idempotency-key': 'retry-once' };
    expect(await retry(key)).toBe(await retry(key));
    expect(await retry()).not.toBe(await retry());
    const other = await failedJob();
    const conflict = await api.post(`/v1/jobs/${other}/retry`, '', key);
    expect(conflict.statusCode).toBe(409);
  });

  it('takes cancelled jobs, and none that is queued, in progress or completed', async () => {
    const { id: queued } = await api.submit();
    const { id: begun } = await api.submit();
    await api.begin(begun);
    const { id: done } = await api.submit();
    await api.complete(done);
    for (const id of [queued, begun, done]) {
      const answer = await api.post(`/v1/jobs/${id}/retry`, '');
      expect(answer.statusCode).toBe(409);
      expect(answer.headers['x-should-retry']).toBe('false');
      expect(answer.json()).toMatchObject({ error: { code: 'job_not_retryable' } });
    }
    await api.post(`/v1/jobs/${queued}/cancel`, '');
    expect((await api.post(`/v1/jobs/${queued}/retry`, '')).statusCode).toBe(202);
  });
});
