import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { eventually, type Stack } from '@nightshift/local';
import type { Report } from '../../src/doctor/report.ts';
import { temporaryFolder } from '../support/cli.ts';
import { idsUpTo, requestFile, startBulk, startBulkStack } from '../support/bulk.ts';
import { startFakeApi } from '../support/fake-api.ts';

const PREFIX = 'doctor';
let stack: Stack;
let redis: Redis;
beforeAll(async () => {
  stack = await startBulkStack(PREFIX);
  redis = new Redis(inject('redisUrl'));
});
afterAll(async () => {
  redis?.disconnect();
  await stack?.stop();
});

/** The environment of the stack's own processes, with more of it. */
const asTheStack = (more: Record<string, string> = {}): Record<string, string> => ({
  REDIS_URL: inject('redisUrl'),
  NIGHTSHIFT_KEY_PREFIX: `${PREFIX}-${process.pid}`,
  NIGHTSHIFT_DATA_DIR: stack.dataDir,
  OPENAI_BASE_URL: stack.simulatorUrl ?? '',
  OPENAI_API_KEY: 'simulated',
  ...more,
});

async function nightshift(args: readonly string[], env = asTheStack(), url = stack.apiUrl) {
  return await startBulk(args, { cwd: temporaryFolder(), url, env }).ended;
}

async function report(env = asTheStack(), url = stack.apiUrl): Promise<Report & { code: number }> {
  const { code, stdout } = await nightshift(['doctor', '--json'], env, url);
  return { ...(JSON.parse(stdout) as Report), code: code ?? -1 };
}

test('reports a healthy stack, with a line for each check', async () => {
  const { code, stdout } = await nightshift(['doctor']);
  expect({ code, stdout }).toMatchObject({ code: 0 });
  const [first, empty, ...checks] = stdout.trimEnd().split('\n');
  expect([first, empty]).toEqual(['Nothing is wrong.', '']);
  for (const name of [
    'redis',
    'redis memory',
    'redis on disk',
    'clock',
    'provider default',
    'models',
    'storage',
    'api',
    'lanes',
    'batches',
    'deliveries',
  ]) {
    expect(checks.join('\n')).toMatch(new RegExp(`^ok +${name} `, 'm'));
  }
  expect(stdout).not.toContain('\u001B');
});

test('reports Redis away first, and shows no secrets', async () => {
  const env = asTheStack({ REDIS_URL: 'redis://user:a-password@127.0.0.1:1' });
  const { code, stdout } = await nightshift(['doctor'], env);
  expect({ code, first: stdout.split('\n')[0] }).toEqual({
    code: 1,
    first: expect.stringMatching(
      /^Redis at redis:\/\/127\.0\.0\.1:1 is away: .*ECONNREFUSED.*Start it/,
    ),
  });
  expect(stdout).not.toContain('a-password');
});

test('reports a missing API, and checks the rest', async () => {
  const told = await report(asTheStack(), 'http://127.0.0.1:9');
  expect(told).toMatchObject({ code: 1, ok: false, cause: 'api_away' });
  expect(told.summary).toMatch(/^The API at http:\/\/127\.0\.0\.1:9 is away: /);
  const states = Object.fromEntries(told.checks.map(({ name, state }) => [name, state]));
  expect(states).toMatchObject({ redis: 'ok', storage: 'ok', workers: 'note', deliveries: 'ok' });
});

test('no worker, silent workers', async () => {
  const seen = Date.now() / 1000 - 40;
  const worker = {
    ...{ id: 'worker_1', object: 'worker', host: 'night-1', pid: 12, version: '0.1.0' },
    ...{ started_at: seen - 100, last_seen_at: seen, slots: 64, slots_used: 3, lanes: 2 },
  };
  const list = (data: object[]) => ({
    body: { object: 'list', data, first_id: null, last_id: null, has_more: false },
  });
  const apiWith = async (workers: object[]) =>
    await startFakeApi({
      '/livez': {},
      '/readyz': {},
      '/v1/workers': list(workers),
      '/v1/lanes': list([]),
      '/v1/batches': list([]),
    });
  expect(await report(asTheStack(), await apiWith([]))).toMatchObject({
    ...{ code: 1, cause: 'no_worker' },
    summary: 'No worker is alive, so nothing is called. Start one: nightshift worker.',
  });
  const silent = { ...worker, state: 'silent' };
  const alone = await report(asTheStack(), await apiWith([silent]));
  expect(alone.summary).toMatch(
    /^No worker is alive.*; silent: worker_1 on night-1 \(process 12, last seen [\d a-z]+ ago\)\. Start one/,
  );
  const alive = { ...worker, id: 'worker_2', state: 'alive', lanes: ['lane_1'] };
  const beside = await report(asTheStack(), await apiWith([silent, alive]));
  expect(beside).toMatchObject({ code: 1, cause: 'worker_silent' });
  const url = await apiWith([alive]);
  expect(await report(asTheStack(), url)).toMatchObject({ code: 0, cause: null });
  const { stdout } = await nightshift(['workers'], {}, url);
  expect(stdout).toMatch(
    /^WORKER +HOST +PROCESS +STATE .*\nworker_2 +night-1 +12 +alive +0\.1\.0 +3 of 64 +1 +\d.* ago +\d.* ago\n$/,
  );
});

test('a refused key, and an unreachable provider', async () => {
  const key = 'sk-test-0123456789abcdef';
  const refusing = await startFakeApi({
    '/v1/models': {
      status: 401,
      body: { error: { message: `Incorrect API key provided: ${key}.`, code: 'invalid_api_key' } },
    },
  });
  const env = asTheStack({ OPENAI_BASE_URL: `${refusing}/v1`, OPENAI_API_KEY: key });
  expect(await report(env)).toMatchObject({
    ...{ code: 1, cause: 'provider_key' },
    summary: `default at ${refusing}/v1 refuses the key: 401 Incorrect API key provided: (hidden). Set OPENAI_API_KEY for the workers and restart them.`,
  });
  expect(await report(asTheStack({ OPENAI_BASE_URL: 'http://127.0.0.1:9/v1' }))).toMatchObject({
    ...{ code: 1, cause: 'provider_unreachable' },
  });
  const silentOnModels = await startFakeApi({});
  expect(await report(asTheStack({ OPENAI_BASE_URL: `${silentOnModels}/v1` }))).toMatchObject({
    ...{ code: 0, cause: null },
    checks: expect.arrayContaining([
      expect.objectContaining({
        message: expect.stringContaining('its key cannot be checked for free'),
      }),
    ]),
  });
});

test('storage that is not writable', async () => {
  const file = join(temporaryFolder(), 'a-file');
  writeFileSync(file, '');
  const told = await report(asTheStack({ NIGHTSHIFT_BLOBS: `file:${file}` }));
  expect(told).toMatchObject({ code: 1, cause: 'storage' });
  expect(told.summary).toMatch(/^Storage at .*a-file cannot be used: .*NIGHTSHIFT_BLOBS/);
  expect(await report(asTheStack({ NIGHTSHIFT_BLOBS: `file:${file}/below` }))).toMatchObject({
    cause: 'storage',
  });
});

test('wrong settings are named', async () => {
  const config = join(temporaryFolder(), 'config.json');
  writeFileSync(config, '{"limit": {}}');
  expect(await report(asTheStack({ NIGHTSHIFT_CONFIG: config }))).toMatchObject({
    ...{ code: 1, cause: 'settings' },
    summary: expect.stringMatching(
      /^A setting is wrong: NIGHTSHIFT_CONFIG .*: limit: is not a setting/,
    ),
  });
});

test('jobs and lines whose BullMQ keys were deleted are requeued, and all of them settle', async () => {
  const model = 'gpt-4o-mini';
  const job = async (): Promise<string> => {
    const answer = await fetch(`${stack.apiUrl}/v1/jobs`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ body: { model, messages: [{ role: 'user', content: 'hello' }] } }),
    });
    return ((await answer.json()) as { id: string }).id;
  };
  const warmUp = await job();
  await fetch(`${stack.apiUrl}/v1/jobs/${warmUp}?wait=30`);
  expect(await nightshift(['pause', model])).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^lane_\w{16} \(gpt-4o-mini at default\) is paused\n$/),
  });
  const paused = await report();
  expect(paused).toMatchObject({ code: 1, cause: 'lane_paused' });
  expect(paused.summary).toMatch(
    /^Lane paused: gpt-4o-mini at the default provider .*nightshift resume lane_\w{16}\.$/,
  );

  const jobs = await Promise.all(Array.from({ length: 12 }, job));
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'in.jsonl'), requestFile(idsUpTo(40)));
  const submitted = await startBulk(['submit', 'in.jsonl'], { cwd: folder, url: stack.apiUrl })
    .ended;
  const batchId = submitted.stdout.trim();
  const keysOf = async (pattern: string): Promise<string[]> =>
    await redis.keys(`${PREFIX}-${process.pid}:{lane_*}:${pattern}`);
  // All of them stand in BullMQ and none is left in the outbox.
  await eventually(async () => (await keysOf('bulk:req_*')).length > 0);
  await eventually(async () => (await keysOf('interactive:job_*')).length > 0);
  await eventually(
    async () => (await redis.zcard(`${PREFIX}-${process.pid}:{default}:outbox`)) === 0,
  );
  const own = [...(await keysOf('bulk:*')), ...(await keysOf('interactive:*'))];
  await redis.del(...own);

  const told = await report();
  const check = told.checks.find(({ name }) => name === 'deliveries');
  expect(check).toMatchObject({
    state: 'mended',
    message: expect.stringMatching(/^52 jobs were missing from the queues/),
  });
  // Once is enough.
  const again = await report();
  expect(again.checks.find(({ name }) => name === 'deliveries')).toMatchObject({ state: 'ok' });

  expect(await nightshift(['resume', model])).toMatchObject({ code: 0 });
  for (const id of jobs) {
    const answer = await fetch(`${stack.apiUrl}/v1/jobs/${id}?wait=30`);
    expect(await answer.json()).toMatchObject({ status: 'completed', attempts: 1 });
  }
  const watched = await nightshift(['watch', batchId, '--json']);
  expect(JSON.parse(watched.stdout)).toMatchObject({
    status: 'completed',
    request_counts: { total: 40, completed: 40, failed: 0 },
  });
  expect(await report()).toMatchObject({ code: 0, summary: 'Nothing is wrong.' });
}, 120_000);

test('list, lanes, pause and resume', async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'in.jsonl'), requestFile(['a', 'b']));
  const at = new Date(Date.now() + 3_600_000).toISOString();
  const submit = ['submit', 'in.jsonl', '--run-at', at];
  const { stdout } = await startBulk(submit, { cwd: folder, url: stack.apiUrl }).ended;
  const id = stdout.trim();
  await eventually(async () => (await nightshift(['list'])).stdout.includes('0 of 2'));
  expect((await nightshift(['list', '--limit', '1'])).stdout).toMatch(
    new RegExp(
      `^BATCH +STATUS +DONE .*\n${id} +in progress +0 of 2, 0 % +0 +\\$0\\.00 +\\d\\d:\\d\\d`,
    ),
  );
  expect(await nightshift(['pause', id])).toMatchObject({ code: 0, stdout: `${id} is paused\n` });
  const json = await nightshift(['list', '--status', 'in_progress', '--json']);
  expect(JSON.parse(json.stdout.split('\n')[0] ?? '')).toMatchObject({ id, paused: true });
  expect(await nightshift(['resume', id])).toMatchObject({ stdout: `${id} is in progress\n` });
  expect(await nightshift(['pause', 'gpt-none'])).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^nightshift pause: there is no batch and no lane "gpt-none": /),
  });
  expect(await nightshift(['pause', 'batch_none'])).toMatchObject({ code: 1 });
  expect((await nightshift(['lanes'])).stdout).toMatch(
    /^MODEL +PROVIDER +STATE .*\ngpt-4o-mini +default +open /,
  );
  await nightshift(['cancel', id, '--wait']);
}, 60_000);
