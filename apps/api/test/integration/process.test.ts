import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, freePort } from '@nightshift/local';
import { SettingError } from '@nightshift/shared/config';
import { createLogger } from '@nightshift/shared/telemetry';
import { afterAll, describe, expect, inject, it, onTestFinished } from 'vitest';
import { startApi } from '../../src/index.ts';

const logger = createLogger('test', 'silent');
const dataDir = mkdtempSync(join(tmpdir(), 'nightshift-process-test-'));
afterAll(() => rmSync(dataDir, { recursive: true, force: true }));
const entry = new URL('../../src/index.ts', import.meta.url).href;

/** `nightshift api` without the command line. */
function run(environment: Record<string, string>) {
  const child = spawn(
    process.execPath,
    [
      '--conditions=source',
      '--input-type=module',
      '--eval',
      `await (await import(${JSON.stringify(entry)})).runApi(process.env)`,
    ],
    {
      env: {
        ...process.env,
        REDIS_URL: inject('redisUrl'),
        NIGHTSHIFT_KEY_PREFIX: 'test-process',
        NIGHTSHIFT_DATA_DIR: dataDir,
        ...environment,
      },
    },
  );
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString();
  });
  return { child, out: () => out, err: () => err, exited: once(child, 'exit') };
}

describe('a started API', () => {
  const start = async (environment: Record<string, string> = {}) =>
    startApi(
      {
        REDIS_URL: inject('redisUrl'),
        PORT: '0',
        NIGHTSHIFT_KEY_PREFIX: 'test-started',
        NIGHTSHIFT_DATA_DIR: dataDir,
        ...environment,
      },
      { logger },
    );

  it.each([
    [{ HOST: '0.0.0.0' }, /^HOST: must be a loopback address.*NIGHTSHIFT_API_KEYS/],
    [{ HOST: '192.168.1.5' }, /^HOST: /],
    [{ PORT: '70000' }, /^PORT: .*got "70000"$/],
    [{ NIGHTSHIFT_API_KEYS: 'red:short' }, /^NIGHTSHIFT_API_KEYS: entry 1 .*\(hidden\)$/],
    [{ LOG_LEVEL: 'loud' }, /^LOG_LEVEL: /],
    [{ NIGHTSHIFT_CONFIG: '/no/such/file' }, /^NIGHTSHIFT_CONFIG: /],
    [{ NIGHTSHIFT_BLOBS: 'ftp://x' }, /^NIGHTSHIFT_BLOBS: must be file:PATH/],
    [{ NIGHTSHIFT_BLOBS: 's3://x' }, /^NIGHTSHIFT_BLOBS: must name a bucket/],
  ])('refuses %j', async (environment, message) => {
    await expect(start(environment)).rejects.toThrow(SettingError);
    await expect(start(environment)).rejects.toThrow(message);
  });

  it('refuses a place for files that it cannot write to', async () => {
    const file = join(dataDir, 'a-file');
    writeFileSync(file, '');
    await expect(start({ NIGHTSHIFT_DATA_DIR: file })).rejects.toThrow(
      /^NIGHTSHIFT_BLOBS: must be a place that this process can write to: .*a-file/,
    );
  });

  it('keeps files in its data folder, over a restart', async () => {
    const first = await start();
    const form = new FormData();
    form.set('purpose', 'batch');
    form.set('file', new Blob(['{}\n']), 'in.jsonl');
    const answer = await fetch(`${first.url}/v1/files`, { method: 'POST', body: form });
    const { id } = (await answer.json()) as { id: string };
    await first.close();
    const second = await start();
    onTestFinished(async () => second.close());
    expect(await (await fetch(`${second.url}/v1/files/${id}/content`)).text()).toBe('{}\n');
    await fetch(`${second.url}/v1/files/${id}`, { method: 'DELETE' });
  });

  it('says that its port is taken', async () => {
    const taken = createServer();
    const port = await freePort();
    taken.listen(port, '127.0.0.1');
    await once(taken, 'listening');
    onTestFinished(() => {
      taken.close();
    });
    await expect(start({ PORT: String(port) })).rejects.toThrow(/^PORT: .*EADDRINUSE/);
  });

  it('listens beyond this machine when keys are set', async () => {
    const api = await start({ HOST: '0.0.0.0', NIGHTSHIFT_API_KEYS: 'red:long-enough' });
    onTestFinished(async () => api.close());
    expect(api.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect((await fetch(`${api.url}/v1/jobs`)).status).toBe(401);
  });

  it('closes at once, answering who waits, and can be closed twice', async () => {
    const api = await start();
    const answer = await fetch(`${api.url}/v1/jobs`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"body":{"model":"gpt-test"}}',
    });
    const { id } = (await answer.json()) as { id: string };
    const polls = Array.from({ length: 20 }, async () => {
      const poll = await fetch(`${api.url}/v1/jobs/${id}?wait=60`);
      return (await poll.json()) as { status: string };
    });
    const stream = await fetch(`${api.url}/v1/jobs/${id}/events`);
    await eventually(async () => (await fetch(`${api.url}/metrics`)).status === 200);
    const started = performance.now();
    await Promise.all([api.close(), api.close()]);
    expect(performance.now() - started).toBeLessThan(3000);
    for (const poll of await Promise.all(polls)) expect(poll.status).toBe('queued');
    expect(await stream.text()).toContain('event: job.queued');
    await expect(fetch(`${api.url}/livez`)).rejects.toThrow();
  });

  it('does not wait for a connection on which nothing was ever said', async () => {
    const api = await start();
    const silent = connect(Number(new URL(api.url).port), '127.0.0.1');
    silent.on('error', () => {});
    await once(silent, 'connect');
    // Accepted in the order in which they came.
    expect((await fetch(`${api.url}/livez`)).status).toBe(200);
    const closed = once(silent, 'close');
    const started = performance.now();
    await api.close();
    expect(performance.now() - started).toBeLessThan(3000);
    await closed;
  });
});

describe('runApi', () => {
  it('logs where it listens, and exits 0 on SIGTERM', async () => {
    const api = run({ PORT: '0' });
    await eventually(() => api.out().includes('api.listening'), { timeoutMs: 20_000 });
    const line = api
      .out()
      .split('\n')
      .find((text) => text.includes('api.listening'));
    const { url } = JSON.parse(line ?? '{}') as { url: string };
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    api.child.kill('SIGTERM');
    expect(await api.exited).toEqual([0, null]);
    expect(api.err()).toBe('');
  });

  it('exits 1 with one line for a wrong setting', async () => {
    const api = run({ PORT: 'none' });
    expect(await api.exited).toEqual([1, null]);
    expect(api.err()).toMatch(/^nightshift api: PORT: [^\n]*\n$/);
    expect(api.out()).toBe('');
  });
});
