import { eventually } from '@nightshift/local';
import { jobSchema } from '@nightshift/shared/http';
import { laneOf } from '@nightshift/shared/lane';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { completed, createTestApi, type JobView, type TestApi } from '../support/api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await createTestApi(inject('redisUrl'));
});
afterAll(async () => {
  await api.close();
});

describe('POST /v1/jobs', () => {
  it('accepts a job: 202, where it is, when to ask, and the job as GET shows it', async () => {
    const answer = await api.post('/v1/jobs', {
      body: { model: 'gpt-a' },
      metadata: { run: 'nightly' },
      priority: 'bulk',
      expires_after: '24h',
    });
    expect(answer.statusCode).toBe(202);
    const job = jobSchema.parse(answer.json());
    expect(answer.headers).toMatchObject({
      location: `/v1/jobs/${job.id}`,
      'retry-after': '1',
      'content-type': 'application/json; charset=utf-8',
      'x-request-id': expect.stringMatching(/^req_[0-9a-f]{32}$/),
    });
    expect(job).toMatchObject({ status: 'queued', model: 'gpt-a', priority: 'bulk', attempts: 0 });
    expect((job.expires_at ?? 0) - job.created_at).toBe(86_400);
    expect((await api.get(`/v1/jobs/${job.id}`)).body).toBe(answer.body);
  });

  it('shows the same as GET for every optional field', async () => {
    const soon = Math.floor(Date.now() / 1000) + 3600.5;
    for (const fields of [
      {},
      { endpoint: '/v1/embeddings', max_attempts: 3 },
      { run_at: soon, expires_after: { anchor: 'created_at', seconds: 7200 } },
      { run_at: 1, expires_after: 90.25 },
      { metadata: null, expires_after: null },
      { metadata: { ключ: '"\\u0000é' } },
    ]) {
      const answer = await api.post('/v1/jobs', { body: { model: 'gpt-b' }, ...fields });
      expect(answer.statusCode, answer.body).toBe(202);
      expect((await api.get(answer.headers.location ?? '')).body).toBe(answer.body);
    }
  });

  it('passes the body on byte for byte, the last one where a key is given twice', async () => {
    const body =
      '{ "model":"gpt-raw",\n\t"seed": 123456789012345678901234567890, "é": "\\u00e9\\ud83d", "b":1.0 }';
    const answer = await api.post(
      '/v1/jobs',
      ` {"body": {"model":"gpt-other"}, "b\\u006fdy" :  ${body}  , "priority":"bulk"} `,
    );
    expect(answer.statusCode, answer.body).toBe(202);
    const { id, model } = answer.json<JobView>();
    expect(model).toBe('gpt-raw');
    expect(await api.jobs.getBody('default', id)).toBe(body);
  });

  it('puts what is due into its lane’s queue and keeps what is not in the outbox', async () => {
    const due = await api.submit({ body: { model: 'gpt-due' } });
    const later = await api.submit({
      body: { model: 'gpt-due' },
      run_at: Math.floor(Date.now() / 1000) + 600,
    });
    const lane = laneOf('default', 'gpt-due', 'default').id;
    const outbox = api.keys.tenant('default').outbox;
    await eventually(async () => (await api.laneQueues.counts(lane)).queued.interactive === 1);
    await eventually(async () => (await api.redis.zscore(outbox, `${due.id}.1`)) === null);
    expect(Number(await api.redis.zscore(outbox, `${later.id}.1`))).toBeGreaterThan(Date.now());
    expect(later['waiting_for']).toMatchObject({ reason: 'run_at', until: later['run_at'] });
  });

  it('lets jobs of a fast lane share the entries of its queue', async () => {
    const { id: laneId } = laneOf('default', 'gpt-fast', 'default');
    const { outbox, paces } = api.keys.tenant('default');
    const submit = async (): Promise<JobView> =>
      api.submit({ body: { model: 'gpt-fast' }, priority: 'bulk' });
    const ids = [(await submit()).id];
    await api.redis.hset(paces, laneId, `${Date.now() + 900} 0 2000`);
    const others = await Promise.all(Array.from({ length: 24 }, submit));
    ids.push(...others.map(({ id }) => id));
    await eventually(async () => (await api.laneQueues.counts(laneId)).queued.bulk === 25);
    const entries = await api.redis.lrange(`${api.keys.lane(laneId).queues}:bulk:wait`, '0', '-1');
    expect(entries.length).toBeLessThan(25);
    expect(entries).toContain(`${ids[0]}.1`);
    await eventually(async () => {
      const left = (await api.redis.zrange(outbox, '0', '-1')).join(' ');
      return !ids.some((id) => left.includes(id));
    });
  });

  it('tells when to come back, at most a minute ahead', async () => {
    const answer = await api.post('/v1/jobs', {
      body: { model: 'gpt-due' },
      run_at: Math.floor(Date.now() / 1000) + 600,
    });
    expect(answer.headers['retry-after']).toBe('60');
  });
});

describe('Idempotency-Key', () => {
  const request = { body: { model: 'gpt-idem', messages: [{ b: 1, a: 2 }] } };
  const withKey = (key: string) => ({ 'idempotency-key': key });

  it('gives the same job for the same content, in whatever order its keys come', async () => {
    const first = await api.post('/v1/jobs', request, withKey('same'));
    const again = await api.post(
      '/v1/jobs',
      '{"priority":"interactive","body":{"messages":[{"a":2,"b":1}],"model":"gpt-idem"}}',
      withKey('same'),
    );
    expect(again.statusCode).toBe(202);
    expect(again.body).toBe(first.body);
    expect(again.headers['idempotent-replayed']).toBe('true');
    expect(first.headers['idempotent-replayed']).toBeUndefined();
  });

  it('answers a replay with the job as it is by then', async () => {
    const job = await api.submit(request, withKey('later'));
    await api.complete(job.id);
    const again = await api.post('/v1/jobs', request, withKey('later'));
    expect(again.statusCode).toBe(202);
    expect(again.json()).toMatchObject({ id: job.id, status: 'completed' });
    const waited = await api.post('/v1/jobs', request, { ...withKey('later'), prefer: 'wait=5' });
    expect(waited.statusCode).toBe(200);
  });

  it('refuses other content under a key, and leaves the first as it was', async () => {
    const job = await api.submit(request, withKey('conflict'));
    await api.deliveryBuffer.drain();
    const before = await api.allKeys();
    const other = await api.post('/v1/jobs', { ...request, priority: 'bulk' }, withKey('conflict'));
    expect(other.statusCode).toBe(409);
    expect(other.headers['x-should-retry']).toBe('false');
    expect(other.json()).toMatchObject({ error: { code: 'idempotency_key_reused' } });
    expect(await api.allKeys()).toEqual(before);
    expect((await api.get(`/v1/jobs/${job.id}`)).json()).toEqual(job);
  });

  it('makes one job of fifty calls at once', async () => {
    const answers = await Promise.all(
      Array.from({ length: 50 }, async () => api.post('/v1/jobs', request, withKey('fifty'))),
    );
    expect(new Set(answers.map(({ statusCode }) => statusCode))).toEqual(new Set([202]));
    expect(new Set(answers.map((answer) => answer.json<JobView>().id)).size).toBe(1);
    expect(answers.filter(({ headers }) => headers['idempotent-replayed'] === 'true').length).toBe(
      49,
    );
  });

  it('must be 1 to 255 characters long', async () => {
    for (const key of ['', 'x'.repeat(256)]) {
      const answer = await api.post('/v1/jobs', request, withKey(key));
      expect(answer.statusCode).toBe(400);
      expect(answer.json()).toMatchObject({ error: { param: 'Idempotency-Key' } });
    }
    expect((await api.post('/v1/jobs', request, withKey('x'.repeat(255)))).statusCode).toBe(202);
  });
});

describe('Prefer: wait', () => {
  it('answers 200 with the settled job when it settles in time', async () => {
    const waiting = api.post(
      '/v1/jobs',
      { body: { model: 'gpt-wait' }, metadata: { name: 'waited' } },
      { prefer: 'respond-async, wait=300' },
    );
    const id = await eventually(async () => {
      const page = await api.get('/v1/jobs?metadata[name]=waited');
      return page.json<{ data: JobView[] }>().data[0]?.id;
    });
    await eventually(() => api.eventHub.followers() > 0);
    await api.complete(id);
    const answer = await waiting;
    expect(answer.statusCode).toBe(200);
    expect(answer.headers['preference-applied']).toBe('wait=60');
    expect(answer.json()).toMatchObject({ id, status: 'completed', cost_usd: completed.costUsd });
  });

  it('answers 202 when it does not, and at once when the wish is not understood', async () => {
    const waited = await api.post('/v1/jobs', { body: { model: 'm' } }, { prefer: 'wait=1' });
    expect(waited.statusCode).toBe(202);
    expect(waited.headers['preference-applied']).toBe('wait=1');
    const odd = await api.post('/v1/jobs', { body: { model: 'm' } }, { prefer: 'wait=soon' });
    expect(odd.statusCode).toBe(202);
    expect(odd.headers['preference-applied']).toBeUndefined();
  });
});
