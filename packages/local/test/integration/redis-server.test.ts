import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest';
import { eventually, findOrStartRedis, type RedisHandle } from '../../src/index.ts';
import { probeUrl, serverInfo } from '../../src/redis/probe.ts';
import { startRedisServer } from '../../src/redis/server.ts';
import { thisSystem } from '../../src/system.ts';

async function ownRedis(): Promise<RedisHandle> {
  const redis = await findOrStartRedis({ docker: 'testcontainers', owned: true });
  onTestFinished(async () => await redis.stop());
  return redis;
}

function connect(url: string): Redis {
  const client = new Redis(url, { retryStrategy: () => 50, maxRetriesPerRequest: null });
  client.on('error', () => {});
  onTestFinished(() => client.disconnect());
  return client;
}

test('the run has a Redis that serves', async () => {
  await probeUrl(inject('redisUrl'));
});

test('fsyncs every write and never evicts', async () => {
  const client = connect((await ownRedis()).url);
  const setting = async (name: string) => (await client.config('GET', name))[1];
  expect(await setting('appendonly')).toBe('yes');
  expect(await setting('appendfsync')).toBe('always');
  expect(await setting('maxmemory-policy')).toBe('noeviction');
  expect(await setting('save')).toBe('');
});

test('kill -9 in the middle of writes loses nothing that was acknowledged', async () => {
  const redis = await ownRedis();
  const client = connect(redis.url);
  let acknowledged = 0;
  let writing = true;
  const writer = (async () => {
    const once = new Redis(redis.url, { retryStrategy: () => null, maxRetriesPerRequest: 0 });
    once.on('error', () => {});
    while (writing) {
      try {
        await once.rpush('written', String(acknowledged));
        acknowledged += 1;
      } catch {
        writing = false;
      }
    }
    once.disconnect();
  })();
  await eventually(() => acknowledged > 200);
  await redis.kill9();
  await writer;
  await redis.kill9();
  await redis.restart();
  const written = await client.lrange('written', 0, -1);
  expect(written.length).toBeGreaterThanOrEqual(acknowledged);
  expect(written.slice(0, acknowledged)).toEqual(
    Array.from({ length: acknowledged }, (_, i) => String(i)),
  );
});

test('restart from running keeps port and data', async () => {
  const redis = await ownRedis();
  const client = connect(redis.url);
  await client.set('kept', 'yes');
  const { url } = redis;
  await redis.restart();
  expect(redis.url).toBe(url);
  expect(await client.get('kept')).toBe('yes');
});

test('frozen it answers nothing, thawed it answers what was asked', async () => {
  const redis = await ownRedis();
  const client = connect(redis.url);
  await client.set('a', '1');
  await redis.freeze();
  await expect(probeUrl(redis.url, 200)).rejects.toThrow(/timed? ?out/i);
  const answer = client.get('a');
  await redis.thaw();
  expect(await answer).toBe('1');
});

const command = thisSystem().which('redis-server') ?? thisSystem().which('valkey-server');
describe.skipIf(command === null)('a server on the PATH', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'nightshift-server-test-'));
    return () => rmSync(folder, { recursive: true });
  });
  const start = async (options: { dataDir?: string; busyTimeoutMs?: number }) => {
    const redis = await startRedisServer({ command: command as string, ...options });
    onTestFinished(async () => await redis.stop());
    return redis;
  };

  test('stop() ends it, frozen or not, twice, and removes temporary data', async () => {
    const redis = await start({});
    const dataDir = redis.describe.split('data in ')[1] as string;
    expect(existsSync(dataDir)).toBe(true);
    expect((await serverInfo(redis.url)).processId).toBe(redis.pid);
    await redis.freeze();
    await redis.stop();
    await redis.stop();
    expect(existsSync(dataDir)).toBe(false);
    await expect(probeUrl(redis.url)).rejects.toThrow('ECONNREFUSED');
    await expect(redis.restart()).rejects.toThrow('stopped for good');
  });

  test('a data folder is kept, and given to the next start', async () => {
    const dataDir = join(folder, 'kept');
    const first = await start({ dataDir });
    await connect(first.url).set('job', 'accepted');
    await first.stop();
    const second = await start({ dataDir });
    expect(await connect(second.url).get('job')).toBe('accepted');
  });

  test('two servers never share a data folder', async () => {
    const dataDir = join(folder, 'shared');
    const first = await start({ dataDir });
    await expect(start({ dataDir, busyTimeoutMs: 100 })).rejects.toThrow(
      `${dataDir} is in use by redis-server (process ${first.pid}`,
    );
    // What a kill leaves behind names a server that is gone: no reason to refuse.
    await first.kill9();
    await start({ dataDir });
  });

  test('a server that cannot start says why', async () => {
    const dataDir = join(folder, 'broken');
    const first = await start({ dataDir });
    await first.stop();
    const port = Number(new URL(inject('redisUrl')).port);
    const taken = startRedisServer({ command: command as string, port });
    await expect(taken).rejects.toThrow(/already in use/i);
  });

  test('it does not outlive a parent that was killed', async () => {
    const program = fileURLToPath(new URL('../fixtures/hold-redis.ts', import.meta.url));
    const parent = spawn(process.execPath, ['--conditions=source', program, command as string], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => void parent.kill('SIGKILL'));
    let text = '';
    parent.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    await eventually(() => text.includes('\n'), { describe: 'the parent to tell its Redis' });
    const { url, dataDir } = JSON.parse(text) as { url: string; dataDir: string };
    await probeUrl(url);
    expect(readdirSync(dataDir).length).toBeGreaterThan(0);
    parent.kill('SIGKILL');
    await eventually(
      async () =>
        await probeUrl(url).then(
          () => false,
          () => true,
        ),
      {
        describe: 'Redis to end',
      },
    );
    await eventually(() => !existsSync(dataDir), { describe: 'its data to be removed' });
  });
});
