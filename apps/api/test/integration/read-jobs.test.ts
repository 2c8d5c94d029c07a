import { eventually } from '@nightshift/local';
import { jobListSchema, jobSchema } from '@nightshift/shared/http';
import { laneOf } from '@nightshift/shared/lane';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import {
  ANSWER,
  completed,
  createTestApi,
  failed,
  type JobView,
  type TestApi,
} from '../support/api.ts';

let api: TestApi;
beforeEach(async () => {
  api = await createTestApi(inject('redisUrl'));
});
afterEach(async () => {
  await api.close();
});

interface Page {
  data: JobView[];
  first_id: string | null;
  last_id: string | null;
  has_more: boolean;
}
const list = async (query: string): Promise<Page> =>
  (await api.get(`/v1/jobs?${query}`)).json<Page>();

describe('GET /v1/jobs/ID', () => {
  it('shows a completed job with the provider’s answer as it came', async () => {
    const { id } = await api.submit();
    await api.complete(id);
    const answer = await api.get(`/v1/jobs/${id}`);
    expect(answer.statusCode).toBe(200);
    expect(answer.body).toContain(`"body":${ANSWER}`);
    expect(jobSchema.parse(answer.json())).toMatchObject({
      status: 'completed',
      attempts: 1,
      waiting_for: null,
      response: { status_code: 200, request_id: 'req_provider' },
      usage: { input_tokens: 10, total_tokens: 15 },
      cost_usd: 0.0025,
    });
  });

  it('answers HEAD with the same headers and no body', async () => {
    const { id } = await api.submit();
    const url = `/v1/jobs/${id}`;
    const head = await api.app.inject({ method: 'HEAD', url });
    expect(head.statusCode).toBe(200);
    expect(head.body).toBe('');
    expect(head.headers['content-length']).toBe((await api.get(url)).headers['content-length']);
  });
});

describe('waiting_for', () => {
  const lane = laneOf('default', 'gpt-test', 'default').id;
  const waitingFor = async (id: string) =>
    (await api.get(`/v1/jobs/${id}`)).json<JobView>()['waiting_for'];

  it('is null for a job that waits for its turn, is in progress or settled', async () => {
    const { id } = await api.submit();
    expect(await waitingFor(id)).toBeNull();
    const claim = await api.begin(id);
    await api.lanes.pauseForOperator(lane);
    expect(await waitingFor(id)).toBeNull();
    await api.attempts.settle(claim, completed);
    expect(await waitingFor(id)).toBeNull();
  });

  it('tells of a backoff, until when', async () => {
    const { id } = await api.submit();
    await api.attempts.release(await api.begin(id), {
      reason: 'backoff',
      message: 'The provider answered 500.',
      delayMs: 60_000,
      charged: true,
      detail: 'backoff',
    });
    expect(await waitingFor(id)).toEqual({
      reason: 'backoff',
      message: 'The provider answered 500.',
      until: expect.any(Number),
    });
  });

  it('tells of a lane that cools down, and of one that is paused', async () => {
    const { id } = await api.submit();
    await api.lanes.cool(lane, 30_000, 0);
    await eventually(async () => (await waitingFor(id)) !== null);
    expect(await waitingFor(id)).toMatchObject({ reason: 'rate_limit' });
    await api.lanes.pauseForProvider(lane, 'unauthorized', 'The key is wrong.', false);
    await eventually(async () => JSON.stringify(await waitingFor(id)).includes('lane_paused'));
    expect(await waitingFor(id)).toMatchObject({
      message: expect.stringContaining('the key is wrong. Set OPENAI_API_KEY'),
      until: expect.any(Number),
    });
  });
});

describe('GET /v1/jobs/ID?wait=N', () => {
  it('answers as soon as the job settles', async () => {
    const { id } = await api.submit();
    const started = performance.now();
    const waiting = api.get(`/v1/jobs/${id}?wait=30`);
    await eventually(() => api.eventHub.followers() === 1);
    await api.complete(id);
    expect((await waiting).json()).toMatchObject({ id, status: 'completed' });
    expect(performance.now() - started).toBeLessThan(5000);
    expect(api.eventHub.followers()).toBe(0);
  });

  it('answers with the job as it is when the time is over, however often it moved', async () => {
    const { id } = await api.submit();
    const waiting = api.get(`/v1/jobs/${id}?wait=1`);
    await eventually(() => api.eventHub.followers() === 1);
    await api.begin(id);
    expect((await waiting).json()).toMatchObject({ id, status: 'in_progress' });
  });

  it('answers a settled job, and wait=0, at once', async () => {
    const { id } = await api.submit();
    expect((await api.get(`/v1/jobs/${id}?wait=0`)).json()).toMatchObject({ status: 'queued' });
    await api.complete(id);
    expect((await api.get(`/v1/jobs/${id}?wait=60`)).json()).toMatchObject({ status: 'completed' });
  });

  it('lets go of a caller who hangs up', async () => {
    const { id } = await api.submit();
    const url = await api.listen();
    const abort = new AbortController();
    const waiting = fetch(`${url}/v1/jobs/${id}?wait=60`, { signal: abort.signal });
    await eventually(() => api.eventHub.followers() === 1);
    abort.abort();
    await expect(waiting).rejects.toThrow();
    await eventually(() => api.eventHub.followers() === 0);
  });
});

describe('GET /v1/jobs', () => {
  it('is empty at first', async () => {
    expect(jobListSchema.parse(await list(''))).toEqual({
      object: 'list',
      data: [],
      first_id: null,
      last_id: null,
      has_more: false,
    });
  });

  it('pages newest first, each job once', async () => {
    const ids: string[] = [];
    for (let n = 0; n < 7; n += 1) ids.push((await api.submit()).id);
    const seen: string[] = [];
    let after = '';
    for (;;) {
      const page = await list(`limit=3${after}`);
      jobListSchema.parse(page);
      seen.push(...page.data.map(({ id }) => id));
      expect([page.first_id, page.last_id]).toEqual([page.data[0]?.id, page.data.at(-1)?.id]);
      if (!page.has_more) break;
      after = `&after=${page.last_id}`;
    }
    expect(seen).toEqual(ids.toReversed());
  });

  it('filters by status, model, creation and metadata', async () => {
    const plain = await api.submit({ metadata: { run: 'a', 'x y': '1&2' } });
    const other = await api.submit({ body: { model: 'gpt/other:1' }, metadata: { run: 'b' } });
    const done = await api.submit({ metadata: { run: 'a' } });
    await api.complete(done.id);
    const lost = await api.submit();
    await api.complete(lost.id, failed);
    const ids = async (query: string) => (await list(query)).data.map(({ id }) => id);
    expect(await ids('status=queued')).toEqual([other.id, plain.id]);
    expect(await ids('status=completed')).toEqual([done.id]);
    expect(await ids('status=failed')).toEqual([lost.id]);
    expect(await ids('status=expired')).toEqual([]);
    expect(await ids(`model=${encodeURIComponent('gpt/other:1')}`)).toEqual([other.id]);
    expect(await ids('metadata[run]=a')).toEqual([done.id, plain.id]);
    expect(await ids('metadata%5Brun%5D=a&metadata%5Bx%20y%5D=1%262')).toEqual([plain.id]);
    expect(await ids('metadata[run]=a&status=completed')).toEqual([done.id]);
    expect(await ids('created_after=4000000000')).toEqual([]);
    expect((await ids('created_after=1')).length).toBe(4);
  });
});

describe('tenants', () => {
  it('see and touch their own jobs only', async () => {
    const tenants = await createTestApi(inject('redisUrl'), {
      apiKeys: 'red:red-key-1,red:red-key-2,blue:blue-key-1',
    });
    try {
      const as = (key: string) => ({ authorization: `Bearer ${key}` });
      const job = await tenants.submit({}, { ...as('red-key-1'), 'idempotency-key': 'k' });
      const url = `/v1/jobs/${job.id}`;
      expect((await tenants.get(url, as('red-key-2'))).statusCode).toBe(200);
      for (const path of [url, `${url}?wait=1`, `${url}/events`]) {
        expect((await tenants.get(path, as('blue-key-1'))).statusCode, path).toBe(404);
      }
      for (const path of [`${url}/cancel`, `${url}/retry`]) {
        expect((await tenants.post(path, '', as('blue-key-1'))).statusCode, path).toBe(404);
      }
      expect((await tenants.get('/v1/jobs', as('blue-key-1'))).json()).toMatchObject({ data: [] });
      const same = await tenants.submit({}, { ...as('blue-key-1'), 'idempotency-key': 'k' });
      expect(same.id).not.toBe(job.id);
      expect((await tenants.get('/v1/lanes', as('blue-key-1'))).json()).toMatchObject({
        data: [{ object: 'lane' }],
      });
    } finally {
      await tenants.close();
    }
  });
});
