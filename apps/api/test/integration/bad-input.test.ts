import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { createTestApi, type TestApi } from '../support/api.ts';

let api: TestApi;
let before: string[];
beforeAll(async () => {
  api = await createTestApi(inject('redisUrl'), {
    config: {
      limits: { job_body_bytes: 1000, lanes: 1 },
      providers: { only: { base_url: 'http://127.0.0.1:9/v1' } },
      models: [{ match: 'gpt-*', provider: 'only' }],
    },
  });
  // The one lane that there may be, so that its own keys are no difference.
  await api.submit();
  await api.deliveryBuffer.drain();
  // Looking at a lane opens both of its queues.
  await api.get('/v1/lanes');
  before = await api.allKeys();
});
afterAll(async () => {
  expect(await api.allKeys()).toEqual(before);
  await api.close();
});

const good = { body: { model: 'gpt-test' } };
const deep = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);

type Case = [name: string, payload: unknown, status: number, code: string, param: string | null];
const cases: Case[] = [
  ['half a body', '{"body":', 400, 'invalid_json', null],
  ['no JSON', 'model=gpt', 400, 'invalid_json', null],
  ['a number beyond JSON', '{"body":{"model":"gpt-test","n":NaN}}', 400, 'invalid_json', null],
  ['an empty body', '', 400, 'invalid_type', null],
  ['null', 'null', 400, 'invalid_type', null],
  ['an array', '[]', 400, 'invalid_type', null],
  ['no body field', {}, 400, 'missing_required_parameter', 'body'],
  ['a text as body', { body: 'x' }, 400, 'invalid_type', 'body'],
  ['an array as body', { body: [] }, 400, 'invalid_type', 'body'],
  ['no model', { body: {} }, 400, 'missing_required_parameter', 'body.model'],
  ['a number as model', { body: { model: 5 } }, 400, 'invalid_type', 'body.model'],
  ['an empty model', { body: { model: '' } }, 400, 'invalid_value', 'body.model'],
  [
    'a long model',
    { body: { model: `gpt-${'x'.repeat(256)}` } },
    400,
    'string_above_max_length',
    'body.model',
  ],
  ['half a surrogate pair', { body: { model: 'gpt-\ud800' } }, 400, 'invalid_value', 'body.model'],
  ['a model nobody serves', { body: { model: 'llama' } }, 404, 'model_not_found', 'body.model'],
  ['one lane too many', { body: { model: 'gpt-new' } }, 429, 'too_many_lanes', 'body.model'],
  ['an unknown field', { ...good, prio: 1 }, 400, 'unknown_parameter', 'prio'],
  ['an unknown endpoint', { ...good, endpoint: '/v1/x' }, 400, 'invalid_value', 'endpoint'],
  ['an unknown priority', { ...good, priority: 'high' }, 400, 'invalid_value', 'priority'],
  ['metadata of text', { ...good, metadata: 'x' }, 400, 'invalid_type', 'metadata'],
  ['a number in metadata', { ...good, metadata: { a: 1 } }, 400, 'invalid_type', 'metadata.a'],
  [
    '17 pairs of metadata',
    { ...good, metadata: Object.fromEntries(Array.from({ length: 17 }, (_, n) => [n, ''])) },
    400,
    'object_above_max_properties',
    'metadata',
  ],
  [
    'a long key in metadata',
    { ...good, metadata: { ['k'.repeat(65)]: '' } },
    400,
    'invalid_value',
    'metadata',
  ],
  [
    'a long value in metadata',
    { ...good, metadata: { k: 'v'.repeat(513) } },
    400,
    'string_above_max_length',
    'metadata.k',
  ],
  ['no attempts', { ...good, max_attempts: 0 }, 400, 'integer_below_min_value', 'max_attempts'],
  ['101 attempts', { ...good, max_attempts: 101 }, 400, 'integer_above_max_value', 'max_attempts'],
  ['half an attempt', { ...good, max_attempts: 1.5 }, 400, 'invalid_type', 'max_attempts'],
  ['run_at as text', { ...good, run_at: 'noon' }, 400, 'invalid_type', 'run_at'],
  ['run_at before 1970', { ...good, run_at: -1 }, 400, 'integer_below_min_value', 'run_at'],
  ['run_at in ms', { ...good, run_at: 1e13 }, 400, 'integer_above_max_value', 'run_at'],
  ['an odd duration', { ...good, expires_after: 'soon' }, 400, 'invalid_value', 'expires_after'],
  ['no duration', { ...good, expires_after: 0 }, 400, 'invalid_value', 'expires_after'],
  [
    'expiry before run_at',
    { ...good, run_at: 4e9, expires_after: 60 },
    400,
    'invalid_value',
    'expires_after',
  ],
  ['a webhook', { ...good, webhook_url: 'http://x' }, 400, 'unsupported_parameter', 'webhook_url'],
  [
    'a stream',
    { body: { model: 'gpt-test', stream: true } },
    400,
    'unsupported_parameter',
    'body.stream',
  ],
  [
    '__proto__ in the body',
    '{"body":{"model":"gpt-test","__proto__":{"a":1}}}',
    400,
    'forbidden_key',
    'body.__proto__',
  ],
  [
    '__proto__ in escapes',
    '{"body":{"model":"gpt-test","x":[{"\\u005f_proto__":1}]}}',
    400,
    'forbidden_key',
    'body.x[0].__proto__',
  ],
  ['__proto__ outermost', '{"__proto__":{"body":1}}', 400, 'forbidden_key', '__proto__'],
  [
    'constructor.prototype',
    '{"body":{"model":"gpt-test","constructor":{"prototype":{}}}}',
    400,
    'forbidden_key',
    'body.constructor.prototype',
  ],
  [
    '100,000 levels that the limit lets in',
    `{"body":{"model":"gpt-test"},"x":${deep(30_000)}}`,
    400,
    'json_too_deep',
    null,
  ],
  [
    'a large body',
    { body: { model: 'gpt-test', x: 'é'.repeat(500) } },
    413,
    'body_too_large',
    'body',
  ],
  ['a large payload', { ...good, x: 'y'.repeat(70_000) }, 413, 'body_too_large', 'body'],
  ['100,000 levels', `{"body":${deep(100_000)}}`, 413, 'body_too_large', 'body'],
];

describe('POST /v1/jobs refuses', () => {
  it.each(cases)('%s', async (_name, payload, status, code, param) => {
    const answer = await api.post('/v1/jobs', payload);
    expect(answer.statusCode, answer.body).toBe(status);
    const { error } = answer.json<{ error: Record<string, unknown> }>();
    expect(error).toMatchObject({ code, message: expect.any(String), type: expect.any(String) });
    if (code === 'json_too_deep') expect(error['param']).toMatch(/^x\[0\]\[0\]/);
    else expect(error['param']).toBe(param);
    expect(answer.headers['x-request-id']).toMatch(/^req_/);
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
    expect(await api.allKeys()).toEqual(before);
  });

  it('bytes that are not UTF-8', async () => {
    const answer = await api.app.inject({
      method: 'POST',
      url: '/v1/jobs',
      headers: { 'content-type': 'application/json' },
      payload: Buffer.from('{"body":{"model":"gpt-test\xff"}}', 'latin1'),
    });
    expect(answer.statusCode).toBe(400);
    expect(answer.json()).toMatchObject({ error: { code: 'invalid_json' } });
  });

  it('a compressed body', async () => {
    const answer = await api.post('/v1/jobs', good, { 'content-encoding': 'gzip' });
    expect(answer.statusCode).toBe(415);
    expect(answer.json()).toMatchObject({ error: { param: 'Content-Encoding' } });
  });

  it('any other type of content, and none', async () => {
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data',
      'x',
      '',
    ]) {
      const answer = await api.app.inject({
        method: 'POST',
        url: '/v1/jobs',
        headers: { 'content-type': type },
        payload: JSON.stringify(good),
      });
      expect(answer.statusCode, type).toBe(415);
      expect(answer.json()).toMatchObject({ error: { code: 'unsupported_media_type' } });
    }
    const none = await api.app.inject({
      method: 'POST',
      url: '/v1/jobs',
      payload: Buffer.from('{}'),
    });
    expect(none.statusCode).toBe(415);
  });
});

describe('paths and methods', () => {
  it.each([
    ['GET', '/v1/nothing', 404, 'unknown_url'],
    ['POST', '/nothing', 404, 'unknown_url'],
    ['GET', '/v1/jobs/', 404, 'not_found'],
    ['GET', `/v1/jobs/${'x'.repeat(300)}`, 404, 'not_found'],
    ['GET', '/v1/jobs/job_00000000000000000000000000000000', 404, 'not_found'],
    ['POST', '/v1/jobs/job_00000000000000000000000000000000/cancel', 404, 'not_found'],
    ['POST', '/v1/jobs/job_00000000000000000000000000000000/retry', 404, 'not_found'],
    ['GET', '/v1/jobs/job_00000000000000000000000000000000/events', 404, 'not_found'],
    ['HEAD', '/v1/jobs/job_00000000000000000000000000000000/events', 404, 'not_found'],
    ['GET', '/v1/jobs/job_00000000000000000000000000000000?wait=1', 404, 'not_found'],
    ['POST', '/v1/lanes/lane_0000000000000000/pause', 404, 'not_found'],
    ['POST', '/v1/lanes/../pause', 404, 'unknown_url'],
    ['GET', '/v1/jobs/%E0%A4%A', 400, 'invalid_url'],
    ['DELETE', '/v1/jobs', 405, 'method_not_allowed'],
    ['PUT', '/v1/jobs/job_1', 405, 'method_not_allowed'],
    ['GET', '/v1/jobs/job_1/cancel', 405, 'method_not_allowed'],
    ['OPTIONS', '/v1/jobs', 405, 'method_not_allowed'],
    ['POST', '/readyz', 405, 'method_not_allowed'],
  ] as const)('%s %s', async (method, url, status, code) => {
    const answer = await api.app.inject({ method, url });
    expect(answer.statusCode, answer.body).toBe(status);
    expect(answer.headers['x-request-id']).toMatch(/^req_/);
    if (method !== 'HEAD') expect(answer.json()).toMatchObject({ error: { code } });
  });

  it('names the methods that a path takes', async () => {
    const allow = async (url: string) =>
      (await api.app.inject({ method: 'PATCH', url })).headers.allow;
    expect(await allow('/v1/jobs')).toBe('GET, HEAD, POST');
    expect(await allow('/v1/jobs/job_1/cancel')).toBe('POST');
    expect(await allow('/v1/jobs/job_1?x=1')).toBe('DELETE, GET, HEAD');
  });

  it('does not read a body that was sent to nowhere', async () => {
    const answer = await api.post('/v1/nothing', '{"half":');
    expect(answer.json()).toMatchObject({ error: { code: 'unknown_url' } });
  });
});

describe('queries', () => {
  it.each([
    ['/v1/jobs?limit=101', 'integer_above_max_value', 'limit'],
    ['/v1/jobs?limit=0', 'integer_below_min_value', 'limit'],
    ['/v1/jobs?limit=ten', 'invalid_value', 'limit'],
    ['/v1/jobs?limit=1&limit=2', 'invalid_type', 'limit'],
    ['/v1/jobs?status=done', 'invalid_value', 'status'],
    ['/v1/jobs?after=job_1', 'invalid_value', 'after'],
    ['/v1/jobs?created_after=yesterday', 'invalid_value', 'created_after'],
    ['/v1/jobs?metadata=x', 'invalid_type', 'metadata'],
    ['/v1/jobs?metadata[__proto__]=x', 'unknown_parameter', 'metadata[__proto__]'],
    ['/v1/jobs?metadata[a]=1&metadata[a]=2', 'invalid_type', 'metadata.a'],
    ['/v1/jobs?order=asc', 'unknown_parameter', 'order'],
    ['/v1/jobs/job_1?wait=61', 'integer_above_max_value', 'wait'],
    ['/v1/jobs/job_1?wait=-1', 'integer_below_min_value', 'wait'],
    ['/v1/jobs/job_1?wait=1.5', 'invalid_value', 'wait'],
    ['/v1/jobs/job_1?wait=', 'invalid_value', 'wait'],
    ['/v1/jobs/job_1?poll=1', 'unknown_parameter', 'poll'],
    ['/v1/jobs/job_1/events?after=x', 'invalid_value', 'after'],
    ['/v1/jobs/job_1/events?from=1', 'unknown_parameter', 'from'],
  ])('%s', async (url, code, param) => {
    const answer = await api.get(url);
    expect(answer.statusCode, answer.body).toBe(400);
    expect(answer.json()).toMatchObject({ error: { code, param } });
  });
});

describe('calls without a body', () => {
  it('take none, an empty one and {}, and nothing else', async () => {
    const { data } = (await api.get('/v1/lanes')).json<{ data: { id: string }[] }>();
    const url = `/v1/lanes/${data[0]?.id}/resume`;
    expect((await api.app.inject({ method: 'POST', url })).statusCode).toBe(200);
    for (const payload of ['', '{}', 'null']) {
      expect((await api.post(url, payload)).statusCode, payload).toBe(200);
    }
    expect((await api.post(url, { why: 'x' })).json()).toMatchObject({
      error: { code: 'unknown_parameter', param: 'why' },
    });
    expect((await api.post(url, '[1]')).statusCode).toBe(400);
  });
});
