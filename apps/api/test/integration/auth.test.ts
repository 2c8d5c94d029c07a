import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { createTestApi, type TestApi } from '../support/api.ts';

const ELSEWHERE = '203.0.113.7';

describe('with keys', () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await createTestApi(inject('redisUrl'), { apiKeys: 'red:key-of-red,blue:key-of-blue' });
  });
  afterAll(async () => {
    await api.close();
  });
  const get = async (url: string, authorization?: string, remoteAddress = '127.0.0.1') =>
    api.app.inject({
      url,
      remoteAddress,
      headers: authorization === undefined ? {} : { authorization },
    });

  it.each([
    undefined,
    'Bearer wrong-key',
    'Bearer key-of-re',
    'Bearer key-of-red,key-of-blue',
    'Bearer ',
    'Basic a2V5LW9mLXJlZA==',
    'key-of-red',
  ])('refuses %s', async (authorization) => {
    const answer = await get('/v1/jobs', authorization);
    expect(answer.statusCode).toBe(401);
    expect(answer.headers['www-authenticate']).toBe('Bearer');
    expect(answer.headers['x-request-id']).toMatch(/^req_/);
    expect(answer.json()).toMatchObject({ error: { code: 'invalid_api_key' } });
    if (authorization !== undefined) expect(answer.body).not.toContain('key-of');
  });

  it('lets a key in, from anywhere, however the scheme is written', async () => {
    expect((await get('/v1/jobs', 'Bearer key-of-red', ELSEWHERE)).statusCode).toBe(200);
    expect((await get('/v1/jobs', 'bearer  key-of-blue')).statusCode).toBe(200);
  });

  it('refuses before it reads a body, and tells strangers nothing of paths', async () => {
    const answer = await api.post('/v1/jobs', '{"half":');
    expect(answer.statusCode).toBe(401);
    expect((await get('/v1/nothing')).statusCode).toBe(401);
    expect((await get('/favicon.ico')).statusCode).toBe(404);
    expect((await get('/v1/nothing', 'Bearer key-of-red')).statusCode).toBe(404);
  });

  it('keeps health and metrics open on this machine, and closed elsewhere', async () => {
    for (const url of ['/livez', '/readyz', '/metrics']) {
      expect((await get(url)).statusCode, url).toBe(200);
      expect((await get(url, undefined, ELSEWHERE)).statusCode, url).toBe(401);
      expect((await get(url, 'Bearer key-of-red', ELSEWHERE)).statusCode, url).toBe(200);
    }
  });

  it('keeps the page and the documentation open', async () => {
    for (const url of ['/', '/docs', '/docs/static/index.html', '/openapi.json']) {
      expect((await get(url, undefined, ELSEWHERE)).statusCode, url).toBeLessThan(400);
    }
    expect((await get('/docs/%2e%2e/v1/jobs', undefined, ELSEWHERE)).statusCode).toBeGreaterThan(
      399,
    );
    expect((await get('/%2fv1/jobs', undefined, ELSEWHERE)).statusCode).toBeGreaterThan(399);
  });
});

describe('without keys', () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await createTestApi(inject('redisUrl'));
  });
  afterAll(async () => {
    await api.close();
  });
  const get = async (headers: Record<string, string>, remoteAddress = '127.0.0.1') =>
    api.app.inject({ url: '/v1/jobs', remoteAddress, headers });

  it('ignores whatever bearer there is', async () => {
    expect((await get({ authorization: 'Bearer sk-anything' })).statusCode).toBe(200);
  });

  it('lets in this machine only', async () => {
    for (const address of ['127.0.0.1', '127.8.9.1', '::1', '::ffff:127.0.0.1']) {
      expect((await get({}, address)).statusCode, address).toBe(200);
    }
    for (const address of [ELSEWHERE, '10.0.0.1', '::ffff:10.0.0.1', 'fe80::1']) {
      const answer = await get({}, address);
      expect(answer.statusCode, address).toBe(403);
      expect(answer.json()).toMatchObject({ error: { code: 'loopback_only' } });
    }
  });

  it('refuses a page whose name was pointed here, and one that calls across origins', async () => {
    for (const host of ['localhost:3000', '127.0.0.1', '[::1]:3000', 'api.localhost']) {
      expect((await get({ host })).statusCode, host).toBe(200);
    }
    for (const host of ['evil.example:3000', '127.0.0.1.evil.example', 'localhost.evil.example']) {
      expect((await get({ host })).statusCode, host).toBe(403);
    }
    expect((await get({ origin: 'http://localhost:5173' })).statusCode).toBe(200);
    for (const origin of ['https://evil.example', 'null', 'http://127.0.0.1.evil.example']) {
      expect((await get({ origin })).statusCode, origin).toBe(403);
    }
  });
});
