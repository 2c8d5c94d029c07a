import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { prepareInput, uploadName } from '../../src/bulk/input/prepare.ts';
import type { Recipe } from '../../src/bulk/input/request-of-row.ts';
import { openTable, type TableSource } from '../../src/bulk/input/table.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'nightshift-test-'));
  return () => rmSync(folder, { recursive: true, force: true });
});

let files = 0;
function file(content: string | Uint8Array, name = 'input'): string {
  files += 1;
  const path = join(folder, `${files}-${name}`);
  writeFileSync(path, content);
  return path;
}

const recipe: Recipe = {
  endpoint: '/v1/chat/completions',
  model: 'gpt-4o',
  prompt: 'Sum up: {{review}}',
  ...{ system: null, idColumn: null, body: {}, maxTokens: null, temperature: null },
};

type Options = Partial<Recipe> & Partial<Omit<TableSource, 'path'>>;

async function requests(content: string | Uint8Array, options: Options = {}) {
  const { format = 'csv', delimiter = null, encoding = null, ...more } = options;
  const source = { name: 'reviews.csv', path: file(content), format, delimiter, encoding };
  const plan = {
    kind: 'table',
    source,
    recipe: { ...recipe, ...more },
  } as const;
  const input = await prepareInput(plan);
  let text = '';
  for await (const chunk of input.open()) text += Buffer.from(chunk).toString('utf8');
  const lines = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Request);
  return { input, lines, prompts: lines.map(({ body }) => body.messages?.at(-1)?.content) };
}
interface Request {
  custom_id: string;
  url: string;
  body: { messages?: { role: string; content: string }[]; [field: string]: unknown };
}

const problem = async (content: string | Uint8Array, options?: Options): Promise<string> => {
  try {
    await requests(content, options);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('it was taken');
};

test('each row is a request: quoted fields, quotes and line ends in them, a mark, CRLF, blank lines', async () => {
  const csv = '\uFEFFid,review\r\n1,"Good, really\r\nvery ""good"""\r\n\r\n2,Bad\r\n';
  const { input, lines, prompts } = await requests(csv);
  expect(prompts).toEqual(['Sum up: Good, really\r\nvery "good"', 'Sum up: Bad']);
  expect(lines[0]).toEqual({
    custom_id: 'row-1',
    method: 'POST',
    url: '/v1/chat/completions',
    body: { model: 'gpt-4o', messages: [{ role: 'user', content: prompts[0] }] },
  });
  expect(input).toMatchObject({ filename: 'reviews.jsonl', requests: 2 });
});

test('what a spreadsheet writes elsewhere is read too: semicolons, tabs, UTF-16, windows-1252', async () => {
  expect((await requests('id;review\n1;a, b\n')).prompts).toEqual(['Sum up: a, b']);
  expect((await requests('id\treview\n1\ta; b\n')).prompts).toEqual(['Sum up: a; b']);
  const utf16 = Buffer.from('\uFEFFid,review\n1,größer\n', 'utf16le');
  expect((await requests(utf16)).prompts).toEqual(['Sum up: größer']);
  const latin = Buffer.from('id,review\n1,größer\n', 'latin1');
  expect((await requests(latin, { encoding: 'windows-1252' })).prompts).toEqual(['Sum up: größer']);
  expect(await problem(latin)).toMatch(
    /, line 1 or after: this is not UTF-8 text: .*--encoding windows-1252$/,
  );
  expect(await problem(Buffer.from('id,review\n1,x\n', 'utf16le'))).toMatch(/is not UTF-8 text/);
});

test('ids come from a column, and the body has what the flags say', async () => {
  const options = {
    ...{ idColumn: 'id', system: 'Be {{mood}}.', maxTokens: 9, temperature: 0.5 },
    body: { seed: 7 },
  };
  const { lines } = await requests('id,mood,review\n a ,kind,x\n', options);
  expect(lines[0]).toMatchObject({
    custom_id: 'a',
    body: {
      messages: [{ role: 'system', content: 'Be kind.' }, { content: 'Sum up: x' }],
      ...{ max_completion_tokens: 9, temperature: 0.5, seed: 7 },
    },
  });
});

test('other endpoints have other shapes', async () => {
  const body = async (endpoint: Recipe['endpoint'], more: Options = {}): Promise<unknown> =>
    (await requests('review\nx\n', { endpoint, maxTokens: 5, ...more })).lines[0]?.body;
  const model = 'gpt-4o';
  expect(await body('/v1/responses', { system: 'S' })).toEqual({
    ...{ model, instructions: 'S', input: 'Sum up: x', max_output_tokens: 5 },
  });
  expect(await body('/v1/completions')).toEqual({ model, prompt: 'Sum up: x', max_tokens: 5 });
  expect(await body('/v1/embeddings')).toEqual({ model, input: 'Sum up: x' });
  expect(await body('/v1/moderations')).toEqual({ model, input: 'Sum up: x' });
});

test('a plain text is one prompt a line, named by the line', async () => {
  const options = { format: 'text', prompt: '{{line}}' } as const;
  const { lines, prompts } = await requests('One\r\n\r\n  \nTwo\nThree', options);
  expect(prompts).toEqual(['One', 'Two', 'Three']);
  expect(lines.map(({ custom_id: id }) => id)).toEqual(['row-1', 'row-4', 'row-5']);
});

test('braces can be written, and nothing else in a field is a place', async () => {
  const { prompts } = await requests('review\n{{review}}\n', {
    prompt: String.raw`\{{review}} {"a":{"b":1}} {{ review }}`,
  });
  expect(prompts).toEqual(['{{review}} {"a":{"b":1}} {{review}}']);
});

test.each<[string, string, Options, RegExp]>([
  [
    'a column that is not there',
    'id,review\n1,x\n',
    { prompt: '{{reviw}}' },
    /line 1: there is no column "reviw", which --prompt names; there are "id", "review"$/,
  ],
  [
    'the same for ids',
    'id,review\n1,x\n',
    { idColumn: 'key' },
    /line 1: there is no column "key", which --id-column names/,
  ],
  [
    'two columns of a name',
    'review,review\n1,x\n',
    {},
    /line 1: --prompt names the column "review", and there are two of them$/,
  ],
  [
    'no column at all',
    'review\nx\n',
    { prompt: 'Hello.' },
    /^--prompt names no column, .* such as \{\{review\}\}$/,
  ],
  ['an empty file', '', {}, /: the file is empty; its first line must name the columns$/],
  ['a header alone', 'id,review\n', {}, /: there is no row in it$/],
  [
    'too few columns',
    'id,review\n1,x\n2\n',
    {},
    /line 3: this row has not as many columns as the first one/,
  ],
  [
    'a quote that is not closed',
    'id,review\n1,"x\n2,y\n',
    {},
    /line \d: a quoted field is never closed/,
  ],
  ['a quote in a field', 'id,review\n1,a "x" b\n', {}, /line 2: a quote may only begin a field/],
  [
    'text after a quote',
    'id,review\n1,"a" b\n',
    {},
    /line 2: a quote within a quoted field must be doubled/,
  ],
  [
    'an empty prompt',
    'id,review\n1,\n',
    { prompt: '{{review}}' },
    /line 2: the prompt of this row is empty$/,
  ],
])('%s is told with its place', async (_, csv, options, message) => {
  expect(await problem(csv, options)).toMatch(message);
});

test('all bad rows are told at once, each with its line and its field', async () => {
  const csv = 'id,review\na,"x\ny"\na,y\n,z\n';
  expect((await problem(csv, { idColumn: 'id' })).split('\n')).toEqual([
    expect.stringMatching(/line 4: the id "a" is on line 2 already, and must be unique$/),
    expect.stringMatching(/line 5: the column "id" is empty, and every row needs an id$/),
  ]);
  const many = `id,review\n${'a,x\n'.repeat(30)}`;
  expect((await problem(many, { idColumn: 'id' })).split('\n').at(-1)).toBe('and 9 more');
});

test('any table that is quoted as it should be is read as it was', async () => {
  const cell = fc
    .string({ unit: 'grapheme', maxLength: 12 })
    .filter((text) => !text.includes('\0'));
  const row = fc.array(cell, { minLength: 2, maxLength: 2 });
  await fc.assert(
    fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 8 }), async (rows) => {
      const quoted = rows.map((cells) =>
        cells.map((text) => `"${text.replaceAll('"', '""')}"`).join(','),
      );
      const path = file(`a,b\r\n${quoted.join('\r\n')}\r\n`);
      const table = await openTable({
        name: 'a.csv',
        path,
        format: 'csv',
        delimiter: null,
        encoding: null,
      });
      const seen: (readonly string[])[] = [];
      for await (const { values } of table.rows) seen.push(values);
      expect(seen).toEqual(rows);
    }),
    { numRuns: 50 },
  );
});

const good = (id: string, url = '/v1/responses'): string =>
  JSON.stringify({ custom_id: id, method: 'POST', url, body: { model: 'm', input: 'x' } });
const lines = async (text: string, endpoint: Recipe['endpoint'] | null = null) =>
  await prepareInput({ kind: 'lines', path: file(text), name: 'in.jsonl', endpoint });

test('batch lines go as they are, to the endpoint that the first one names', async () => {
  const text = `\uFEFF\n${good('a')}\r\n${good('b')}`;
  const input = await lines(text);
  expect(input).toMatchObject({
    endpoint: '/v1/responses',
    requests: 2,
    bytes: Buffer.byteLength(text),
  });
  let sent = '';
  for await (const chunk of input.open()) sent += Buffer.from(chunk).toString('utf8');
  expect(sent).toBe(text);
});

test('every bad line is told before anything is sent', async () => {
  const text = [good('a'), '{"custom_id"', good('a'), good('c', '/v1/embeddings'), ''].join('\n');
  await expect(lines(text)).rejects.toThrow(
    /^in\.jsonl, line 2: This line is not parseable.*\nin\.jsonl, line 3: .*duplicate.*\nin\.jsonl, line 4: The URL provided/,
  );
  await expect(lines('\n')).rejects.toThrow(/^in\.jsonl: The input file has no requests\.$/);
  await expect(lines(good('a'), '/v1/embeddings')).rejects.toThrow(/line 1: The URL provided/);
});

test('a file that cannot be read is named', async () => {
  const plan = { kind: 'lines', name: 'x', endpoint: null } as const;
  await expect(prepareInput({ ...plan, path: '/no/such' })).rejects.toThrow(
    '/no/such: there is no such file',
  );
  await expect(prepareInput({ ...plan, path: folder })).rejects.toThrow(/: this is a folder$/);
});

test.each([
  ['reviews.csv', 'reviews.jsonl'],
  ['/home/me/Größe 3.TSV', 'Größe 3.jsonl'],
  ['requests.jsonl', 'requests.jsonl'],
  ['Requests.JSONL', 'Requests.JSONL'],
  ['requests.ndjson', 'requests.jsonl'],
  ['night.v2', 'night.v2.jsonl'],
  ['requests', 'requests.jsonl'],
  ['.csv', '.csv.jsonl'],
  ['a\u0007b.csv', 'a_b.jsonl'],
])('%s is uploaded as %s', (name, uploaded) => {
  expect(uploadName(name)).toBe(uploaded);
});

test('any name becomes one that the server accepts', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (name) => {
      const uploaded = uploadName(name.replaceAll('/', '_'));
      expect(uploaded.toLowerCase().endsWith('.jsonl')).toBe(true);
      expect(uploaded.length).toBeLessThanOrEqual(255);
      expect(uploaded.isWellFormed() && !/\p{Cc}/u.test(uploaded)).toBe(true);
    }),
    // Long names of any characters take their time to make up.
    { numRuns: 30 },
  );
});
