import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { expect, onTestFinished, test } from 'vitest';
import { cellsOf } from '../../src/bulk/output/result.ts';
import { resultTable } from '../../src/bulk/output/result-table.ts';
import { targetOf } from '../../src/bulk/output/target.ts';

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'nightshift-test-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}
const options = { force: false, input: null, stdout: new PassThrough() };

test('a file has its name only when it is complete', async () => {
  const dir = folder();
  const path = join(dir, 'out.jsonl');
  writeFileSync(`${path}.tmp`, 'left behind by a kill');
  const sink = await (await targetOf(path, options)).open();
  await sink.write('one\n');
  expect(readdirSync(dir)).toEqual(['out.jsonl.tmp']);
  await sink.write(Buffer.from('two\n'));
  await sink.commit();
  await sink.discard();
  expect(readdirSync(dir)).toEqual(['out.jsonl']);
  expect(readFileSync(path, 'utf8')).toBe('one\ntwo\n');
});

test('what is not complete leaves nothing', async () => {
  const dir = folder();
  const sink = await (await targetOf(join(dir, 'out'), options)).open();
  await sink.write('one');
  await sink.discard();
  await sink.discard();
  expect(readdirSync(dir)).toEqual([]);
});

test('a file that is there is replaced only when told so, and a link stays a link', async () => {
  const dir = folder();
  const path = join(dir, 'real');
  const link = join(dir, 'link');
  writeFileSync(path, 'old');
  symlinkSync(path, link);
  await expect(targetOf(link, options)).rejects.toThrow(/this file is there already; .* --force/);
  const sink = await (await targetOf(link, { ...options, force: true })).open();
  await sink.write('new');
  expect(readFileSync(path, 'utf8')).toBe('old');
  await sink.commit();
  expect(readFileSync(path, 'utf8')).toBe('new');
  expect(readdirSync(dir)).toEqual(['link', 'real']);
});

test('one that appears meanwhile is not replaced', async () => {
  const path = join(folder(), 'out');
  const sink = await (await targetOf(path, options)).open();
  writeFileSync(path, 'somebody else');
  await expect(sink.commit()).rejects.toThrow(/there already/);
  await sink.discard();
  expect(readFileSync(path, 'utf8')).toBe('somebody else');
});

test('two that write to one name are told apart', async () => {
  const dir = folder();
  const target = await targetOf(join(dir, 'out'), options);
  const first = await target.open();
  const second = await target.open();
  await expect(first.commit()).rejects.toThrow(/another command writes to this file/);
  await first.discard();
  await second.write('second');
  await second.commit();
  expect(readFileSync(join(dir, 'out'), 'utf8')).toBe('second');
});

test('a folder, the input itself and a folder that is missing are refused; a device is written to', async () => {
  const dir = folder();
  const input = join(dir, 'in');
  writeFileSync(input, '');
  mkdirSync(join(dir, 'sub'));
  const force = { ...options, force: true, input };
  await expect(targetOf(join(dir, 'sub'), options)).rejects.toThrow(/this is a folder/);
  await expect(targetOf(input, force)).rejects.toThrow(/this is the input/);
  await expect(targetOf(join(dir, 'no', 'out'), options)).rejects.toThrow(
    /no is not there, or cannot/,
  );
  const sink = await (await targetOf('/dev/null', options)).open();
  await sink.write('gone');
  await sink.commit();
});

const good = (body: unknown) =>
  cellsOf({ custom_id: 'a', response: { status_code: 200, body }, error: null });

test('the answer of every endpoint, in a cell', () => {
  const usage = { prompt_tokens: 3, completion_tokens: 5 };
  expect(good({ choices: [{ message: { content: 'hi\nthere' } }], usage })).toEqual({
    ...{ answer: 'hi\nthere', error: '', inputTokens: '3', outputTokens: '5' },
  });
  const tool = { message: { content: null, tool_calls: [{ id: 'x' }] } };
  expect(good({ choices: [tool] }).answer).toBe('[{"id":"x"}]');
  expect(good({ choices: [{ text: 'hi' }] }).answer).toBe('hi');
  const output = [{ type: 'reasoning' }, { content: [{ text: 'a' }, { text: 'b' }] }];
  expect(good({ output, usage: { input_tokens: 1 } })).toMatchObject({
    answer: 'a\nb',
    inputTokens: '1',
  });
  expect(good({ data: [{ embedding: [1, 2] }] }).answer).toBe('[1,2]');
  expect(good({ results: [{ flagged: true }] }).answer).toBe('{"flagged":true}');
  expect(good({ odd: 1 }).answer).toBe('{"odd":1}');
  expect(good(null).answer).toBe('null');
});

test('what failed has its reason in place of an answer', () => {
  const error = { code: 'batch_expired', message: 'Too late.' };
  expect(cellsOf({ custom_id: 'a', response: null, error })).toMatchObject({
    answer: '',
    error: 'batch_expired: Too late.',
  });
  const refused = { status_code: 400, body: { error: { message: 'No.' } } };
  expect(cellsOf({ custom_id: 'a', response: refused, error: null })).toMatchObject({
    error: '400: No.',
  });
  const odd = { status_code: 502, body: 'Bad gateway' };
  expect(cellsOf({ custom_id: 'a', response: odd, error: null })).toMatchObject({
    error: '502: "Bad gateway"',
  });
});

const result = (id: string, content: string): string =>
  JSON.stringify({
    custom_id: id,
    response: { status_code: 200, body: { choices: [{ message: { content } }] } },
    error: null,
  });
async function* listed(...lines: string[]) {
  yield* lines;
}
async function table(...args: Parameters<typeof resultTable>): Promise<string> {
  let text = '';
  for await (const chunk of resultTable(...args)) text += chunk;
  return text;
}
function rowsOf(csv: string, idColumn: string | null) {
  const path = join(folder(), 'rows.csv');
  writeFileSync(path, csv);
  return {
    source: { name: 'rows.csv', path, format: 'csv', delimiter: null, encoding: null } as const,
    idColumn,
  };
}

test('answers stand beside the rows that were sent, quoted where needed', async () => {
  const rows = rowsOf('id;text;answer\n1;"a;b";x\n2;c;y\n', null);
  expect(
    await table(listed(result('row-1', 'say "hi"'), result('row-2', 'two\nlines')), rows, null),
  ).toBe(
    [
      'id;text;answer;answer_2;error;input_tokens;output_tokens',
      '1;"a;b";x;"say ""hi""";;;',
      '2;c;y;"two\nlines";;;',
      '',
    ].join('\r\n'),
  );
});

test('without rows there is the custom id', async () => {
  expect(await table(listed(result('a', 'x')), null, '\t')).toBe(
    'custom_id\tanswer\terror\tinput_tokens\toutput_tokens\r\na\tx\t\t\t\r\n',
  );
});

test('rows of another batch are refused', async () => {
  const rows = rowsOf('id,text\na,x\nb,y\n', 'id');
  expect(await table(listed(result('a', 'x')), rows, null)).toContain('\r\na,x,x,');
  await expect(table(listed(result('b', 'x')), rows, null)).rejects.toThrow(
    /its rows are not those of this batch: "b" should be next, and there is "a"$/,
  );
  await expect(
    table(listed(...['a', 'b', 'c'].map((id) => result(id, 'x'))), rows, null),
  ).rejects.toThrow(/"c" should be next, and there is none$/);
});
