import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, findOrStartRedis, type RedisHandle } from '@nightshift/local';
import { SettingError } from '@nightshift/shared/config';
import { connectRedis, whenReady, type RedisConnection } from '@nightshift/shared/redis';
import { createLogger } from '@nightshift/shared/telemetry';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startApi, type RunningApi } from '../../src/index.ts';
import { createTestApi, type JobView } from '../support/api.ts';

const logger = createLogger('test', 'silent');
const dataDir = mkdtempSync(join(tmpdir(), 'nightshift-trouble-test-'));
afterAll(() => rmSync(dataDir, { recursive: true, force: true }));
let server: RedisHandle;
let redis: RedisConnection;
const running: RunningApi[] = [];

const start = async (environment: Record<string, string> = {}) => {
  const api = await startApi(
    {
      REDIS_URL: server.url,
      PORT: '0',
      NIGHTSHIFT_KEY_PREFIX: 'trouble',
      NIGHTSHIFT_DATA_DIR: dataDir,
      ...environment,
    },
    { logger },
  );
  running.push(api);
  return api;
};
const post = async (url: string, headers = {}) =>
  fetch(`${url}/v1/jobs`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ body: { model: 'gpt-test', text: 'x'.repeat(1000) } }),
  });
const code = async (answer: Response) =>
  ((await answer.json()) as { error: { code: string } }).error.code;

beforeAll(async () => {
  server = await findOrStartRedis({ docker: 'testcontainers', owned: true, announce: () => {} });
  redis = connectRedis(server.url, 'durable', logger);
  await whenReady(redis);
});
afterEach(async () => {
  await Promise.all(running.splice(0).map(async (api) => api.close()));
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

describe('Redis away', () => {
  it('answers 503 until it is back, keeps what it accepted, and finishes who waited', async () => {
    const api = await start();
    const accepted = await post(api.url);
    expect(accepted.status).toBe(202);
    const { id } = (await accepted.json()) as JobView;
    const polling = fetch(`${api.url}/v1/jobs/${id}?wait=30`);
    await eventually(async () => {
      const [, count] = (await redis.pubsub('NUMSUB', 'trouble:events')) as [string, number];
      return count === 1;
    });

    await server.kill9();
    await eventually(async () => (await fetch(`${api.url}/readyz`)).status === 503);
    const refused = await post(api.url);
    expect(refused.status).toBe(503);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(Number(refused.headers.get('retry-after'))).toBeLessThan(6);
    expect(await code(refused)).toBe('redis_unavailable');
    for (const path of ['/v1/jobs', `/v1/jobs/${id}`, `/v1/jobs/${id}?wait=1`, '/v1/lanes']) {
      expect((await fetch(`${api.url}${path}`)).status, path).toBe(503);
    }
    expect((await fetch(`${api.url}/livez`)).status).toBe(200);
    expect(await (await fetch(`${api.url}/metrics`)).text()).toContain('nightshift_redis_up 0');

    await server.restart();
    await eventually(async () => (await fetch(`${api.url}/readyz`)).status === 200);
    expect((await fetch(`${api.url}/v1/jobs/${id}`)).status).toBe(200);
    expect((await post(api.url)).status).toBe(202);
    // The subscription is taken up again, and the poll, which hung on through the outage, hears of the end.
    await eventually(async () => {
      const [, count] = (await redis.pubsub('NUMSUB', 'trouble:events')) as [string, number];
      return count === 1;
    });
    await fetch(`${api.url}/v1/jobs/${id}/cancel`, { method: 'POST' });
    expect(await (await polling).json()).toMatchObject({ id, status: 'cancelled' });
  });

  it('starts without it, and serves when it comes', async () => {
    await server.kill9();
    const api = await start();
    expect((await fetch(`${api.url}/livez`)).status).toBe(200);
    expect((await fetch(`${api.url}/readyz`)).status).toBe(503);
    expect((await post(api.url)).status).toBe(503);
    await server.restart();
    await eventually(async () => (await fetch(`${api.url}/readyz`)).status === 200);
    expect((await post(api.url)).status).toBe(202);
  });

  it('answers 503 while it is frozen, and goes on when it is not', async () => {
    const api = await start();
    await server.freeze();
    try {
      const refused = await post(api.url);
      expect(refused.status).toBe(503);
      expect(await code(refused)).toBe('redis_unavailable');
    } finally {
      await server.thaw();
    }
    await eventually(async () => (await post(api.url)).status === 202);
  });
});

describe('Redis unfit', () => {
  afterEach(async () => {
    await redis.config('SET', 'appendfsync', 'always');
  });

  it('is refused at the start, unless the loss is accepted', async () => {
    await redis.config('SET', 'appendfsync', 'everysec');
    await expect(start()).rejects.toThrow(SettingError);
    await expect(start()).rejects.toThrow(/appendfsync is everysec.*DURABILITY=relaxed/);
    const relaxed = await start({ DURABILITY: 'relaxed' });
    expect((await post(relaxed.url)).status).toBe(202);
  });
});

describe('Redis not looked at yet', () => {
  it('is promised on by no call', async () => {
    const api = await createTestApi(server.url, { isFit: () => false });
    try {
      for (const url of ['/v1/jobs', '/v1/lanes', '/v1/jobs/job_1/events', '/readyz']) {
        expect((await api.get(url)).statusCode, url).toBe(503);
      }
      expect((await api.post('/v1/jobs', { body: { model: 'gpt-test' } })).statusCode).toBe(503);
      for (const url of ['/livez', '/metrics', '/', '/openapi.json']) {
        expect((await api.get(url)).statusCode, url).toBe(200);
      }
    } finally {
      await api.close();
    }
  });
});

describe('Redis full', () => {
  afterEach(async () => {
    await redis.config('SET', 'maxmemory', '0');
  });

  it('refuses new work and still shows and cancels the old', async () => {
    const api = await start();
    const { id } = (await (await post(api.url)).json()) as JobView;
    await redis.config('SET', 'maxmemory', '1mb');
    const refused = await eventually(async () => {
      const answer = await post(api.url);
      return answer.status === 503 && answer;
    });
    expect(await code(refused)).toBe('redis_full');
    expect(refused.headers.get('retry-after')).toBe('10');
    expect((await fetch(`${api.url}/v1/jobs/${id}`)).status).toBe(200);
    const cancelled = await fetch(`${api.url}/v1/jobs/${id}/cancel`, { method: 'POST' });
    expect(await cancelled.json()).toMatchObject({ status: 'cancelled' });
    await redis.config('SET', 'maxmemory', '0');
    await eventually(async () => (await post(api.url)).status === 202);
  });

  it('is refused by Redis itself where the guard has not looked yet', async () => {
    const api = await createTestApi(server.url, { isFull: () => false });
    try {
      await redis.config('SET', 'maxmemory', '1mb');
      const answer = await api.post('/v1/jobs', { body: { model: 'gpt-test' } });
      expect(answer.statusCode).toBe(503);
      expect(answer.json()).toMatchObject({ error: { code: 'redis_full' } });
      expect(await api.allKeys()).toEqual([]);
    } finally {
      await redis.config('SET', 'maxmemory', '0');
      await api.close();
    }
  });
});
