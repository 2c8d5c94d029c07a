import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Stack } from '@nightshift/local';
import { temporaryFolder } from '../support/cli.ts';
import {
  idsUpTo,
  requestFile,
  requestLine,
  resultsOf,
  startBulk,
  startBulkStack,
  temporaryFiles,
  type BulkOptions,
} from '../support/bulk.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startBulkStack('bulk-run');
});
afterAll(async () => await stack?.stop());

function setUp(files: Record<string, string> = {}) {
  const cwd = temporaryFolder();
  for (const [name, text] of Object.entries(files)) writeFileSync(join(cwd, name), text);
  const start = (args: readonly string[], more: Partial<BulkOptions> = {}) =>
    startBulk(args, { cwd, url: stack.apiUrl, ...more });
  return {
    ...{ cwd, start },
    nightshift: async (...args: string[]) => await start(args).ended,
    read: (name: string) => readFileSync(join(cwd, name), 'utf8'),
    isThere: (name: string) => existsSync(join(cwd, name)),
  };
}

/** Fails for every seventh. */
const mixed = (id: string): string | undefined =>
  Number(id.slice(2)) % 7 === 3 ? 'sim-400' : undefined;
const slow = 'sim-slow-3000';

test('a run ends with all results in the order of the input, the failed ones too', async () => {
  const ids = idsUpTo(60);
  const { nightshift, read, cwd } = setUp({ 'in.jsonl': requestFile(ids, mixed) });
  const { code, stdout, stderr } = await nightshift('run', 'in.jsonl', '-o', 'out.jsonl');
  expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
  const results = resultsOf(read('out.jsonl'));
  expect(results.map(({ custom_id: id }) => id)).toEqual(ids);
  const failed = results.filter(({ response }) => response?.status_code === 400);
  expect(failed.map(({ custom_id: id }) => id)).toEqual(ids.filter((id) => mixed(id)));
  expect(temporaryFiles(cwd)).toEqual([]);

  const records = stderr
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as unknown);
  expect(records.length).toBeGreaterThanOrEqual(2);
  expect(records.at(-1)).toMatchObject({
    object: 'batch.progress',
    status: 'completed',
    request_counts: { total: 60, completed: 51, failed: 9 },
  });
  expect(stderr).toMatch(/completed: 51 of 60 requests succeeded, 9 failed, [\d,]+ tokens in/);
  expect(stderr).toMatch(/ {2}9 × 400 \w+: /);
  expect(stderr).toMatch(/^9 would fail again: .* submit them again\.$/m);
  expect(stderr).not.toContain('nightshift retry');
});

test('a run in which all succeed ends with 0, and writes to the standard output when told nothing else', async () => {
  const { nightshift } = setUp({ 'in.jsonl': requestFile(['a', 'b']) });
  const { code, stdout } = await nightshift('run', 'in.jsonl', '--quiet');
  expect(code).toBe(0);
  expect(resultsOf(stdout).map(({ custom_id: id }) => id)).toEqual(['a', 'b']);
});

test('an output that is there stays, and the same run is not paid for twice', async () => {
  const { nightshift, read } = setUp({ 'in.jsonl': requestFile(['a', 'b']) });
  expect(await nightshift('run', 'in.jsonl', '-o', 'out.jsonl')).toMatchObject({ code: 0 });
  const first = read('out.jsonl');
  expect(await nightshift('run', 'in.jsonl', '-o', 'out.jsonl')).toEqual({
    code: 2,
    stdout: '',
    stderr:
      'nightshift run: -o out.jsonl: this file is there already; choose another name, or --force to replace it\n',
  });
  const again = await nightshift('run', 'in.jsonl', '-o', 'out.jsonl', '--force');
  expect(again.stderr).toMatch(
    /: this run was submitted .* ago, and is taken up again; --new submits it anew/,
  );
  expect(read('out.jsonl')).toBe(first);
  const anew = await nightshift('run', 'in.jsonl', '-o', 'out.jsonl', '--force', '--new');
  expect(anew).toMatchObject({ code: 0 });
  expect(read('out.jsonl')).not.toBe(first);
});

test('Ctrl-C detaches, and the command that it prints comes back to the same batch', async () => {
  const ids = idsUpTo(12);
  const { start, read, isThere, cwd } = setUp({ 'in.jsonl': requestFile(ids, () => slow) });
  const first = start(['run', 'in.jsonl', '-o', "the night's.jsonl"]);
  await first.says(/was submitted/);
  first.signal('SIGINT');
  const { code, stdout, stderr } = await first.ended;
  expect({ code, stdout }).toEqual({ code: 130, stdout: '' });
  const [, id, command] = /Detached; (batch_\w{32}) goes on\. .*\n {2}(.*)\n$/.exec(stderr) ?? [];
  expect(isThere("the night's.jsonl")).toBe(false);

  const second = await start([], { shell: String(command) }).ended;
  expect(second.code).toBe(0);
  expect(second.stderr).toContain(`${id} completed: 12 of 12 requests succeeded`);
  expect(resultsOf(read("the night's.jsonl")).map(({ custom_id }) => custom_id)).toEqual(ids);
  expect(temporaryFiles(cwd)).toEqual([]);
});

test('killed and given again, a run takes up its batch; the same input to another place is another run', async () => {
  const { start, nightshift } = setUp({ 'in.jsonl': requestFile(['a'], () => slow) });
  const first = start(['run', 'in.jsonl', '-o', 'out.jsonl']);
  const said = await first.says(/batch_\w{32}/);
  first.signal('SIGKILL');
  await first.ended;
  const other = await nightshift('run', 'in.jsonl', '-o', 'other.jsonl');
  expect(other.stderr).not.toContain(said);
  const second = await nightshift('run', 'in.jsonl', '-o', 'out.jsonl');
  expect(second).toMatchObject({ code: 0 });
  expect(second.stderr).toContain(`${said}: this run was submitted`);
});

test('a spreadsheet goes in with a template, and comes out with an answer in each row', async () => {
  const csv = '\uFEFFid;review\r\nr1;"Good, really\r\nvery ""good"""\r\nr2;Bad\r\n';
  const { nightshift, read } = setUp({ 'reviews.csv': csv });
  const recipe = ['--model', 'gpt-4o-mini', '--prompt', 'Sum up: {{review}}', '--id-column', 'id'];
  expect(await nightshift('run', 'reviews.csv', '-o', 'answers.csv', ...recipe)).toMatchObject({
    code: 0,
  });
  const row = (start: string) => new RegExp(`^${start};"[^"]+";;\\d+;\\d+\\r$`, 'm');
  expect(read('answers.csv')).toMatch(
    /^\uFEFFid;review;answer;error;input_tokens;output_tokens\r\n/,
  );
  expect(read('answers.csv')).toMatch(row('r1;"Good, really\r\nvery ""good"""'));
  expect(read('answers.csv')).toMatch(row('r2;Bad'));
});

test('JSON lines with a byte-order mark give output with one', async () => {
  const { nightshift, read } = setUp({ 'in.jsonl': `\uFEFF${requestLine('a')}\n` });
  expect(await nightshift('run', 'in.jsonl', '-o', 'out.jsonl')).toMatchObject({ code: 0 });
  expect(read('out.jsonl')).toMatch(/^\uFEFF\{"id":/);
});

test('an output with an unknown extension is refused before anything is submitted', async () => {
  const { nightshift, isThere } = setUp({ 'in.jsonl': `${requestLine('a')}\n` });
  const { code, stderr } = await nightshift('run', 'in.jsonl', '-o', 'out.xlsx');
  expect({ code, isThere: isThere('out.xlsx') }).toEqual({ code: 2, isThere: false });
  expect(stderr).toContain('-o out.xlsx: results cannot be written as .xlsx');
  expect(stderr).not.toContain('batch_');
});

test('a --run-at in the past means now, and the command says so', async () => {
  const { nightshift } = setUp({ 'in.jsonl': `${requestLine('a')}\n` });
  const run = await nightshift('run', 'in.jsonl', '-o', 'out.jsonl', '--run-at', '1700000000');
  expect(run).toMatchObject({ code: 0 });
  expect(run.stderr).toMatch(/^--run-at was \d+ d \d+ h ago, which means now$/m);
});

test('one prompt a line, through the standard input', async () => {
  const { start } = setUp();
  const args = [
    'run',
    '-',
    '--input-format',
    'text',
    '--model',
    'gpt-4o-mini',
    '--prompt',
    'Say: {{line}}',
  ];
  const { code, stdout } = await start(args, { stdin: 'One\n\nTwo\n' }).ended;
  expect(code).toBe(0);
  expect(resultsOf(stdout).map(({ custom_id: id }) => id)).toEqual(['row-1', 'row-3']);
});

test('what is wrong is told line by line, and nothing is submitted', async () => {
  const { nightshift, isThere } = setUp({
    'in.jsonl': `${requestLine('a')}\n{"custom_id": 3}\n${requestLine('a')}\n`,
    'in.csv': 'id,text\n1,x\n',
  });
  const list = async (): Promise<number> => {
    const answer = await fetch(`${stack.apiUrl}/v1/batches?limit=100`);
    return ((await answer.json()) as { data: unknown[] }).data.length;
  };
  const before = await list();
  const { code, stderr } = await nightshift('run', 'in.jsonl', '-o', 'out.jsonl');
  expect(code).toBe(2);
  expect(stderr.split('\n')).toEqual([
    expect.stringMatching(/^nightshift run: in\.jsonl, line 2: .*custom_id/),
    expect.stringMatching(/^in\.jsonl, line 3: .*duplicate: line 1 has it too/),
    '',
  ]);
  const recipe = ['--model', 'm', '--prompt', '{{texts}}'];
  expect(await nightshift('submit', 'in.csv', ...recipe)).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(
      /line 1: there is no column "texts", which --prompt names; there are "id", "text"\n$/,
    ),
  });
  expect(await nightshift('run', 'no.jsonl')).toMatchObject({
    code: 2,
    stderr: 'nightshift run: no.jsonl: there is no such file\n',
  });
  expect(await nightshift('run', '--outptu', 'x')).toMatchObject({
    code: 2,
    stderr: 'nightshift run: --outptu is not a flag of this command; did you mean --output?\n',
  });
  expect(isThere('out.jsonl')).toBe(false);
  expect(await list()).toBe(before);
});

test('the API can go away while a batch is watched', async () => {
  const ids = idsUpTo(8);
  const { start, read } = setUp({ 'in.jsonl': requestFile(ids, () => slow) });
  const run = start(['run', 'in.jsonl', '-o', 'out.jsonl', '--every', '1']);
  await run.says(/was submitted/);
  await stack.api.kill9();
  await run.says(/does not answer \(connection [a-z]+\); trying again/);
  await stack.restartApi();
  expect(await run.ended).toMatchObject({
    code: 0,
    stderr: expect.stringContaining('answers again'),
  });
  expect(resultsOf(read('out.jsonl')).map(({ custom_id: id }) => id)).toEqual(ids);
});

test('a server that is not there is told in one line', async () => {
  const { start } = setUp({ 'in.jsonl': requestLine('a') });
  const { code, stderr } = await start(['submit', 'in.jsonl', '-q', '--url', 'http://127.0.0.1:9'])
    .ended;
  expect(code).toBe(1);
  expect(stderr).toMatch(
    /^nightshift submit: there is no Nightshift at http:\/\/127\.0\.0\.1:9 \(.*\): start one with npm start, or say where it is with --url or NIGHTSHIFT_URL\n$/,
  );
});
