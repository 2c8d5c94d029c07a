import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Stack } from '@nightshift/local';
import { temporaryFolder } from '../support/cli.ts';
import { idsUpTo, requestFile, resultsOf, startBulk, startBulkStack } from '../support/bulk.ts';

const KEY = 'a-key-of-the-tests';

let stack: Stack;
beforeAll(async () => {
  stack = await startBulkStack('bulk-pieces', { NIGHTSHIFT_API_KEYS: `tests:${KEY}` });
});
afterAll(async () => await stack?.stop());

function setUp(files: Record<string, string> = {}) {
  const cwd = temporaryFolder();
  for (const [name, text] of Object.entries(files)) writeFileSync(join(cwd, name), text);
  const env = { NIGHTSHIFT_API_KEY: KEY };
  const nightshift = async (...args: string[]) =>
    await startBulk(args, { cwd, url: stack.apiUrl, env }).ended;
  return {
    ...{ cwd, nightshift },
    /** The data that a command prints, which must succeed. */
    data: async (...args: string[]): Promise<string> => {
      const { code, stdout, stderr } = await nightshift(...args);
      expect({ code, stderr }).toMatchObject({ code: 0 });
      return stdout;
    },
    read: (name: string) => readFileSync(join(cwd, name), 'utf8'),
  };
}

test('submit prints the id alone; watch, results and retry take it', async () => {
  const ids = idsUpTo(10);
  const isBad = (id: string): boolean => id === 'q-2' || id === 'q-7';
  const input = requestFile(ids, (id) => (isBad(id) ? 'sim-400' : undefined));
  const { data, nightshift, read } = setUp({ 'in.jsonl': input });
  const text = await data(
    'submit',
    'in.jsonl',
    '--metadata',
    'team=search',
    '--completion-window',
    '2h',
  );
  expect(text).toMatch(/^batch_\w{32}\n$/);
  const id = text.trim();

  const watched = await nightshift('watch', id, '--json');
  expect(watched.code).toBe(3);
  expect(JSON.parse(watched.stdout)).toMatchObject({
    ...{ id, status: 'completed', completion_window: '2h', metadata: { team: 'search' } },
    request_counts: { total: 10, completed: 8, failed: 2 },
  });
  const results = resultsOf(await data('results', id));
  expect(results.map(({ custom_id: customId }) => customId)).toEqual(ids);
  const finished = resultsOf(await data('results', id, '--order', 'completion'));
  expect(
    finished
      .slice(8)
      .map(({ custom_id: customId }) => customId)
      .toSorted(),
  ).toEqual(['q-2', 'q-7']);

  const args = ['retry', id, '--custom-id', 'q-7', '--alone', '-o', 'again.csv'];
  const retried = await nightshift(...args);
  expect(retried).toMatchObject({ code: 3, stdout: expect.stringMatching(/^batch_\w{32}\n$/) });
  expect(read('again.csv')).toMatch(/^custom_id,answer,error,.*\r\nq-7,,"?400: [^\n]*\r\n$/);
  expect(await nightshift('retry', id, '--error-code', 'nothing')).toMatchObject({
    code: 1,
    stderr: "nightshift retry: Invalid 'filter': no failed request matches it.\n",
  });
});

test('the output of a chain of retries is complete, and names what cannot succeed', async () => {
  const ids = idsUpTo(8);
  const models: Record<string, string> = {
    'q-1': 'sim-400-once--one',
    'q-3': 'sim-400-x2--two',
    'q-4': 'sim-404',
    'q-6': 'sim-400-once--three',
  };
  const { data, nightshift, read } = setUp({ 'in.jsonl': requestFile(ids, (id) => models[id]) });
  const failedIn = (name: string): string[] =>
    resultsOf(read(name))
      .filter(({ response }) => response?.status_code !== 200)
      .map(({ custom_id: customId }) => customId);

  const first = await nightshift('run', 'in.jsonl', '-o', 'out.jsonl');
  expect(first.code).toBe(3);
  expect(failedIn('out.jsonl')).toEqual(['q-1', 'q-3', 'q-4', 'q-6']);
  expect(first.stderr).toMatch(/^\d would fail again: .* and submit them again\.$/m);
  expect(first.stderr).not.toContain(' retry ');
  const [id = ''] = /batch_\w{32}/.exec(first.stderr) ?? [];

  const second = await nightshift('retry', id, '-o', 'out.jsonl', '--force');
  expect(second.code).toBe(3);
  const retryId = second.stdout.trim();
  expect(resultsOf(read('out.jsonl')).map(({ custom_id: customId }) => customId)).toEqual(ids);
  expect(failedIn('out.jsonl')).toEqual(['q-3', 'q-4']);

  expect((await nightshift('retry', retryId, '-o', 'last.csv')).code).toBe(3);
  const rows = read('last.csv').trimEnd().split('\r\n');
  expect(rows.map((row) => row.split(',')[0])).toEqual(['custom_id', ...ids]);
  expect(rows.filter((row) => /^q-\d,,/.test(row))).toEqual([
    expect.stringMatching(/^q-4,,"?404: /),
  ]);
  // The retry by itself, and with what it retries.
  expect(resultsOf(await data('results', retryId))).toHaveLength(4);
  expect(resultsOf(await data('results', retryId, '--merged', '-o', '-'))).toHaveLength(8);
}, 60_000);

test('run --dry-run prints an estimate and writes nothing', async () => {
  const { data, cwd } = setUp({ 'in.jsonl': requestFile(idsUpTo(3)) });
  const text = await data('run', 'in.jsonl', '-o', 'out.jsonl', '--dry-run');
  expect(text).toMatch(/^requests +3\n[^]*Nothing was started\.\n$/);
  expect(readdirSync(cwd)).toEqual(['in.jsonl']);
});

test('cancel stops a batch, whose results then say so', async () => {
  const { data, nightshift } = setUp({ 'in.jsonl': requestFile(idsUpTo(5)) });
  const inAnHour = new Date(Date.now() + 3_600_000).toISOString();
  const id = (await data('submit', 'in.jsonl', '--run-at', inAnHour)).trim();
  expect(await nightshift('retry', id)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('wait until it has ended'),
  });
  expect(await data('cancel', id)).toMatch(new RegExp(`^${id} cancell(ing|ed)\\n$`));
  expect(await nightshift('watch', id, '--quiet')).toMatchObject({
    code: 4,
    stderr: expect.stringMatching(
      new RegExp(`^${id} cancelled: 0 of 5 requests succeeded, 5 failed`),
    ),
  });
  expect(await data('cancel', id, '--wait')).toContain(`${id} cancelled\n`);
  const results = resultsOf(await data('results', id));
  expect(results.map(({ error }) => error?.code)).toEqual(Array(5).fill('batch_cancelled'));
});

test('a batch that has ended is not cancelled, and one that is not there is named', async () => {
  const { data, nightshift } = setUp({ 'in.jsonl': requestFile(['a']) });
  const id = (await data('submit', 'in.jsonl')).trim();
  await data('watch', id);
  expect(await nightshift('cancel', id)).toEqual({
    ...{ code: 1, stdout: '' },
    stderr: "nightshift cancel: Cannot cancel a batch with status 'completed'.\n",
  });
  expect(await nightshift('watch', 'batch_none')).toEqual({
    ...{ code: 1, stdout: '' },
    stderr: "nightshift watch: No batch of yours has the id 'batch_none'.\n",
  });
});

test('while a batch runs its results are those that are there, and it says so', async () => {
  const input = requestFile(['a', 'b', 'c'], (id) => (id === 'b' ? 'sim-slow-20000' : undefined));
  const { cwd, data, nightshift } = setUp({ 'in.jsonl': input });
  const id = (await data('submit', 'in.jsonl')).trim();
  const watch = startBulk(['watch', id, '--every', '1'], {
    ...{ cwd, url: stack.apiUrl, env: { NIGHTSHIFT_API_KEY: KEY } },
  });
  await watch.says(/"completed":2,/);
  const { code, stdout, stderr } = await nightshift('results', id);
  expect({ code, ids: resultsOf(stdout).map(({ custom_id: customId }) => customId) }).toEqual({
    code: 0,
    ids: ['a'],
  });
  expect(stderr).toBe(`${id} is in progress, with 2 of 3 results: these are not all\n`);
  await data('cancel', id);
});

test('a dry run tells what it would come to, and leaves nothing behind', async () => {
  const { data } = setUp({ 'in.jsonl': requestFile(idsUpTo(20)) });
  const files = async (): Promise<unknown> =>
    await (
      await fetch(`${stack.apiUrl}/v1/files`, { headers: { authorization: `Bearer ${KEY}` } })
    ).json();
  const before = await files();
  expect(await data('submit', 'in.jsonl', '--dry-run')).toMatch(
    /^requests +20\nendpoint +\/v1\/chat\/completions\n[^]*Nothing was started\.\n$/,
  );
  const told = JSON.parse(await data('submit', 'in.jsonl', '--dry-run', '--json')) as object;
  expect(told).toMatchObject({
    object: 'batch.dry_run',
    valid: true,
    request_counts: { total: 20 },
  });
  expect(await files()).toEqual(before);
});

test('the same idempotency key is the same batch', async () => {
  const { data, nightshift } = setUp({
    'in.jsonl': requestFile(['a']),
    'other.jsonl': requestFile(['b']),
  });
  const key = ['--idempotency-key', `night-${process.pid}`];
  const id = await data('submit', 'in.jsonl', ...key);
  expect(await data('submit', 'in.jsonl', ...key)).toBe(id);
  expect(await data('submit', 'in.jsonl')).not.toBe(id);
  expect(await nightshift('submit', 'other.jsonl', ...key)).toMatchObject({ code: 1, stdout: '' });
});

test('without the right key it says where the key comes from', async () => {
  const { cwd } = setUp();
  const { code, stderr } = await startBulk(['cancel', 'batch_x'], {
    ...{ cwd, url: stack.apiUrl, env: { OPENAI_API_KEY: KEY } },
  }).ended;
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: expect.stringMatching(
      /^nightshift cancel: .* The key is taken from NIGHTSHIFT_API_KEY\.\n$/,
    ),
  });
});
