import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readConfiguration, type ProviderSettings } from '@nightshift/shared/config';
import type { RedisReport } from '@nightshift/shared/redis';
import type { WorkerView } from '../../src/bulk/operator-views.ts';
import { causes, note, ok, wrong } from '../../src/doctor/check.ts';
import { judgeApi, type ApiLook } from '../../src/doctor/check-api.ts';
import { judgeProvider, judgeRoutes, modelsIn } from '../../src/doctor/check-providers.ts';
import { judgeRedis, judgeSkew } from '../../src/doctor/check-redis.ts';
import { judgeSpace } from '../../src/doctor/check-storage.ts';
import {
  judgeBatches,
  judgeLanes,
  judgeWorkers,
  type LaneLook,
} from '../../src/doctor/check-work.ts';
import { isDead, judgeDeliveries } from '../../src/doctor/lost-deliveries.ts';
import { reportLines, reportOf } from '../../src/doctor/report.ts';
import { batchView } from '../support/batches.ts';

test('the report opens with the most important cause, in whatever order the checks come', () => {
  const some = fc.uniqueArray(fc.constantFrom(...causes), { minLength: 1 });
  fc.assert(
    fc.property(some, (found) => {
      const checks = found.map((cause) => wrong(cause, cause, `it is ${cause}`, 'Mend it.'));
      const report = reportOf([ok('a', 'fine'), ...checks]);
      const first = causes.find((cause) => found.includes(cause));
      expect(report).toMatchObject({
        ok: false,
        cause: first,
        summary: `it is ${first}. Mend it.`,
      });
    }),
  );
  expect(reportOf([ok('a', 'fine'), note('b', 'so so')])).toMatchObject({
    ...{ ok: true, cause: null, summary: 'Nothing is wrong.' },
  });
});

test('the report fits a terminal, and foreign text cannot move the cursor', () => {
  const report = reportOf([
    ok('redis', 'fine'),
    wrong('storage', 'storage', `a\u001B[2Jtext ${'word '.repeat(40)}`, 'Make room.'),
  ]);
  const lines = reportLines(report, { width: 60, color: false });
  expect(lines.slice(2).every((line) => line.length <= 60)).toBe(true);
  expect(lines.join('')).not.toContain('\u001B');
  expect(lines.slice(1, 4)).toEqual([
    '',
    'ok      redis    fine',
    expect.stringMatching(/^wrong {3}storage {2}a \[2Jtext word/),
  ]);
  expect(lines.at(-1)).toBe('                 → Make room.');
  expect(reportLines(report, { width: Infinity, color: true }).join('')).toContain('\u001B[3');
});

const memoryOf = (usedBytes: number, limitBytes: number) => ({
  ...{ usedBytes, limitBytes, admissionBytes: limitBytes - 8e6 },
});
const node = (more: Partial<RedisReport> = {}): RedisReport => ({
  ...{ server: 'Redis', version: '7.2.4', writeError: null, memory: memoryOf(30e6, 64e6) },
  ...{ nowMs: 1e12, tookMs: 2, ...more },
});
const redisWith = (nodes: RedisReport[], unsafe: string | null = null, isRelaxed = false) =>
  judgeRedis(
    { kind: 'there', nodes, localMs: 1e12, unsafe },
    { place: 'redis://r', isRelaxed, isGiven: true, isApiReady: true },
  );
const causesOf = (checks: readonly { cause: string | null }[]) =>
  checks.flatMap(({ cause }) => (cause === null ? [] : [cause]));

test('Redis: full, not durable, too old, its clock', () => {
  expect(redisWith([node()]).map(({ state }) => state)).toEqual(['ok', 'ok', 'ok', 'ok']);
  expect(redisWith([node({ memory: memoryOf(30e6, 0) })])[1]?.message).toBe(
    '30.0 MB used, no maxmemory',
  );
  const full = redisWith([node(), node({ memory: memoryOf(57e6, 64e6) })]);
  expect(causesOf(full)).toEqual(['redis_full']);
  expect(full.find(({ cause }) => cause)?.message).toMatch(
    /^Redis is full: 57\.0 MB of 64\.0 MB used, and new work is refused above 56\.0 MB$/,
  );
  const unsafe =
    'accepted jobs would not survive: appendonly is no (CONFIG SET appendonly yes). Mend it, or accept the loss with DURABILITY=relaxed.';
  expect(redisWith([node()], unsafe).find(({ cause }) => cause)).toMatchObject({
    ...{ cause: 'redis_not_durable', remedy: expect.stringMatching(/^Mend it, or/) },
    message: expect.stringContaining('appendonly is no'),
  });
  expect(causesOf(redisWith([node()], unsafe, true))).toEqual([]);
  expect(causesOf(redisWith([node({ writeError: 'err' })]))).toEqual(['redis_not_durable']);
  expect(causesOf(redisWith([node({ version: '6.2.1' })]))).toEqual(['redis_too_old']);
  expect(causesOf(redisWith([node({ server: 'Valkey', version: '8.0.1' })]))).toEqual([]);
  expect(redisWith([node({ nowMs: 1e12 - 5000 })])[3]).toMatchObject({ state: 'note' });
  expect(causesOf(redisWith([node({ nowMs: 1e12 + 60_000 })]))).toEqual(['clock']);
  expect(judgeSkew('clock', 2000, 'it')).toMatchObject({ state: 'ok' });
});

test('a missing REDIS_URL is no fault while the API reaches Redis', () => {
  const away = { kind: 'away', reason: 'refused' } as const;
  const place = { place: 'redis://127.0.0.1:6379', isRelaxed: false };
  const judge = (isGiven: boolean, isApiReady: boolean) =>
    judgeRedis(away, { ...place, isGiven, isApiReady })[0]?.cause;
  expect(judge(false, true)).toBeNull();
  expect([judge(true, true), judge(true, false), judge(false, false)]).toEqual(
    Array(3).fill('redis_away'),
  );
});

const provider = (more: Partial<ProviderSettings> = {}): ProviderSettings => ({
  ...{ name: 'openai', baseUrl: 'https://user:pw@api.example/v1', credential: 'EXAMPLE_KEY' },
  ...{ apiKey: 'sk-secret-0123456789', headers: { 'x-secret': 'header-secret' }, limits: {} },
  ...{ metrics: null, ...more },
});

test.each([
  [200, '{"data": [{"id": "a"}, {"id": "b"}]}', null, /answers and accepts the key, 2 models$/],
  [401, '{"error": {"message": "no key"}}', 'provider_key', /refuses the key: 401 no key$/],
  [403, '<html><style>x{}</style><h1>No</h1></html>', 'provider_key', /refuses the key: 403 No$/],
  [404, '', null, /is reachable; it lists no models, so its key cannot be checked for free$/],
  [405, 'x', null, /cannot be checked for free$/],
  [429, '{"error": "slow down"}', null, /at its rate limit: 429 slow down$/],
  [503, '{"message": "later"}', 'provider_unreachable', /answers 503 later$/],
  [418, 'teapot', null, /answers 418 teapot: its key cannot be checked for free$/],
])('a provider that answers %d', (status, body, cause, message) => {
  const check = judgeProvider(provider(), { kind: 'answered', status, body });
  expect(check).toMatchObject({ cause, message: expect.stringMatching(message) });
  expect(check.message).toMatch(/^openai at https:\/\/api\.example\/v1 /);
});

test('a provider without a key, and secrets that it repeats are hidden', () => {
  const look = { kind: 'answered', status: 401 } as const;
  const judge = (more: Partial<ProviderSettings>, body = '') =>
    judgeProvider(provider(more), { ...look, body });
  expect(judge({ apiKey: null })).toMatchObject({
    message: expect.stringContaining('requires a key, and none is set'),
    remedy: 'Set EXAMPLE_KEY for the workers and restart them.',
  });
  expect(judge({ credential: 'default', apiKey: null }).remedy).toMatch(/api_key_env/);
  const told = judge(
    {},
    '{"error": {"message": "sk-secret-0123456789 header-secret sk-other-0123456789ab"}}',
  );
  expect(told.message).toMatch(/: 401 \(hidden\) \(hidden\) \(hidden\)$/);
  const away = judgeProvider(provider(), { kind: 'unreachable', reason: 'connection refused' });
  expect(away).toMatchObject({ cause: 'provider_unreachable' });
});

test('routes are listed, and those to a model that its provider does not list are noted', () => {
  const configuration = readConfiguration(
    {
      providers: { one: { base_url: 'http://one/v1' }, two: { base_url: 'http://two/v1' } },
      models: [
        { match: 'gpt-a', provider: 'one' },
        { match: '*', provider: 'one' },
      ],
    },
    'test',
    {},
  );
  const body = '{"data": [{"id": "gpt-b"}]}';
  const checks = judgeRoutes(
    configuration,
    new Map([['one', { kind: 'answered', status: 200, body }]]),
  );
  expect(checks.map(({ message }) => message)).toEqual([
    'gpt-a → one, * → one',
    'no model is routed to two',
    'gpt-a is routed to one, which does not list it',
  ]);
  expect([modelsIn('{}'), modelsIn('no')]).toEqual([null, null]);
});

test('little space is noted', () => {
  expect(judgeSpace('/data', 5e9)).toMatchObject({ state: 'ok' });
  expect(judgeSpace('/data', 5e8)).toMatchObject({
    state: 'note',
    message: expect.stringContaining('500 MB free'),
  });
});

const look = (more: Partial<ApiLook> = {}): ApiLook => ({
  live: { kind: 'answered', status: 200, body: { status: 'ok' }, dateMs: null },
  ready: { kind: 'answered', status: 200, body: {}, dateMs: null },
  ...{ workers: [], lanes: [], batches: null, refusal: null, ...more },
});

test('an API that is away, refuses, has no Redis, or is something else', () => {
  const answer = (status: number, message?: string) =>
    ({ kind: 'answered', status, body: { error: { message } }, dateMs: null }) as const;
  const causeOf = (more: Partial<ApiLook>) => judgeApi('http://api', look(more)).cause;
  expect(causeOf({})).toBeNull();
  expect(causeOf({ live: { kind: 'away', reason: 'refused' } })).toBe('api_away');
  expect(causeOf({ live: answer(401, 'No key.') })).toBe('api_key');
  expect(causeOf({ refusal: '401: No key.' })).toBe('api_key');
  expect(causeOf({ live: answer(502) })).toBe('api_away');
  expect(causeOf({ ready: answer(503, 'Redis does not answer.') })).toBe('redis_away');
  expect(causeOf({ refusal: '503: later' })).toBeNull();
});

const worker = (more: Partial<WorkerView> = {}): WorkerView => ({
  ...{ id: 'worker_1', object: 'worker', host: 'h', pid: 1, version: '0.1.0', started_at: 1 },
  ...{ last_seen_at: 990, state: 'alive', slots: 64, slots_used: 3, lanes: 1, ...more },
});

test('workers: none, only silent ones, some silent, unknown', () => {
  const judge = (...workers: WorkerView[]) => judgeWorkers(workers, 1_000_000);
  expect(judge()).toMatchObject({ cause: 'no_worker', remedy: 'Start one: nightshift worker.' });
  expect(judge(worker({ state: 'stopping' }))).toMatchObject({ cause: 'no_worker' });
  expect(judge(worker({ state: 'silent' }))).toMatchObject({
    cause: 'no_worker',
    message: expect.stringMatching(/; silent: worker_1 on h \(process 1, last seen 10 s ago\)$/),
  });
  expect(judge(worker(), worker({ id: 'worker_2', state: 'silent' }))).toMatchObject({
    cause: 'worker_silent',
  });
  expect(judge(worker(), worker())).toMatchObject({ message: '2 alive, 6 of 128 slots in use' });
  expect(judgeWorkers(null, 1)).toMatchObject({ state: 'note' });
});

test('a worker counts as dead only if that is known', () => {
  expect(isDead(null)('worker_1')).toBe(false);
  expect(isDead([worker({ id: 'host:1' })])('worker_1')).toBe(false);
  const known = isDead([worker(), worker({ id: 'worker_2', state: 'silent' })]);
  expect(['worker_1', 'worker_2', 'worker_3', ''].map(known)).toEqual([false, true, true, false]);
});

const lane = (more: Partial<LaneLook>): LaneLook => ({
  ...{ id: 'lane_1', provider: 'openai', model: 'gpt', state: 'paused', reason: null },
  ...{ message: null, ...more },
});

test('lanes that are not open: why, until when, and the fix', () => {
  const judge = (more: Partial<LaneLook>) => judgeLanes([lane(more)])[0];
  expect(judge({ state: 'open' })).toMatchObject({ state: 'ok', message: '1, all open' });
  const cools = 'gpt at openai: the rate limit is reached.';
  expect(judge({ state: 'cooling', message: cools })).toMatchObject({
    ...{ state: 'note', message: cools },
  });
  expect(judge({ reason: 'paused', message: 'by 401 people' })).toMatchObject({
    ...{ cause: 'lane_paused', message: 'Lane paused: by 401 people', remedy: null },
  });
  for (const message of ['gpt at openai: 401 no. Set THE_KEY', 'gpt: 403 no']) {
    expect(judge({ reason: 'lane_paused', message })).toMatchObject({
      ...{ cause: 'provider_key', message: `Lane paused: ${message}` },
    });
  }
  expect(judge({ reason: 'lane_paused', message: '402 no money' })).toMatchObject({
    cause: 'lane_paused',
  });
  expect(judge({ state: 'unreachable', message: 'gpt does not answer: refused' })).toMatchObject({
    ...{ cause: 'provider_unreachable', remedy: null },
    message: 'Provider unreachable: gpt does not answer: refused',
  });
  expect(judge({ state: 'unreachable' })?.message).toBe('Provider unreachable: gpt at openai');
  expect(judgeLanes([])[0]).toMatchObject({ message: 'none yet' });
  const many = Array.from({ length: 25 }, () => lane({ reason: 'paused' }));
  expect(judgeLanes(many).at(-1)).toMatchObject({
    message: 'and 5 more that are not open',
  });
});

test('waiting batches: faults are wrong, intended waits are not', () => {
  const judge = (reason: string | null, more = {}) =>
    judgeBatches(
      [
        {
          ...batchView(more),
          waiting_for: reason === null ? null : { reason, message: 'why', until: null },
        },
      ],
      true,
    )[0];
  for (const cause of [
    'redis_full',
    'no_worker',
    'storage',
    'provider_unreachable',
    'lane_paused',
  ]) {
    expect(judge(cause)).toMatchObject({ state: 'wrong', cause });
  }
  for (const reason of [
    'run_at',
    'quiet_hours',
    'paused',
    'rate_limit',
    'backoff',
    'no_slot',
    'new',
  ]) {
    expect(judge(reason)).toMatchObject({ state: 'note', cause: null });
  }
  expect(judge(null)).toMatchObject({ message: '1 open, none waits' });
  expect(judge('storage', { status: 'completed' })).toMatchObject({
    state: 'ok',
    message: 'none is open',
  });
  // An API that does not tell a reason yet.
  expect(judgeBatches([batchView({ paused: true })], false)[0]).toMatchObject({
    state: 'note',
    remedy: expect.stringMatching(/^Resume it: nightshift resume batch_/),
  });
});

test('requeued deliveries are reported, and are no longer a fault', () => {
  expect(judgeDeliveries({ open: 1204, redelivered: 0 })).toMatchObject({
    state: 'ok',
    message: '1,204 jobs are open, each in a queue or on its way to one',
  });
  const report = reportOf([judgeDeliveries({ open: 3, redelivered: 1 })]);
  expect(report).toMatchObject({ ok: true, cause: null });
  expect(report.summary).toMatch(
    /^Nothing is wrong\. 1 job was missing from the queues .* and was requeued\.$/,
  );
});
