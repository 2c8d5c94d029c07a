import { expect, test } from 'vitest';
import { batchOptions, lateStart, readBatchFields } from '../../src/bulk/batch-fields.ts';
import { readCommandLine } from '../../src/bulk/command-line.ts';
import { recipeOptions, planInput, tableOptions } from '../../src/bulk/input/plan.ts';
import { readServer } from '../../src/bulk/server.ts';

const NOON_MS = new Date(2026, 10, 21, 12, 0).getTime();

function line(...args: string[]) {
  const options = { all: { ...batchOptions, ...recipeOptions, ...tableOptions } };
  const read = readCommandLine(args, {
    ...{ usage: 'x', about: [], options },
    words: { least: 0, most: 1, names: 'INPUT' },
  });
  if (read === 'help') throw new Error('asked for help');
  return read;
}

test('the fields of a batch are named as on the wire', () => {
  expect(readBatchFields(line(), NOON_MS)).toEqual({ completion_window: '24h' });
  const flags = [
    ...['--completion-window', '90m', '--metadata', 'a=1', '--metadata', 'b=x=y'],
    ...['--run-at', '02:30', '--quiet-hours', '22:00-06:00', '--time-zone', 'Europe/Berlin'],
    ...['--output-expires-after', '30d'],
  ];
  expect(readBatchFields(line(...flags), NOON_MS)).toEqual({
    completion_window: '90m',
    metadata: { a: '1', b: 'x=y' },
    run_at: NOON_MS / 1000 + 14.5 * 3600,
    quiet_hours: { start: '22:00', end: '06:00', time_zone: 'Europe/Berlin' },
    output_expires_after: { anchor: 'created_at', seconds: 2_592_000 },
  });
  expect(readBatchFields(line('--run-at=1795300000'), NOON_MS)).toMatchObject({
    run_at: 1795300000,
  });
  expect(readBatchFields(line('--run-at=2026-11-22T02:00Z'), NOON_MS)).toMatchObject({
    run_at: Date.UTC(2026, 10, 22, 2) / 1000,
  });
});

test('a --run-at in the past is accepted, with a notice that it means now', () => {
  const said = (at: string) => lateStart(readBatchFields(line('--run-at', at), NOON_MS), NOON_MS);
  const seconds = (ago: number): string => String(NOON_MS / 1000 - ago);
  expect(said(seconds(7260))).toBe('--run-at was 2 h 01 min ago, which means now');
  expect(said(seconds(30))).toBeNull();
  expect(said(seconds(-30))).toBeNull();
  expect(said('11:00')).toBeNull();
  expect(lateStart(readBatchFields(line(), NOON_MS), NOON_MS)).toBeNull();
});

test.each([
  [['--completion-window', '30s'], /^--completion-window must be '24h', or .*, got "30s"$/],
  [['--metadata', 'team'], '--metadata must be KEY=VALUE, got "team"'],
  [['--run-at', 'tomorrow'], /^--run-at must be a time such as 02:00, .*, got "tomorrow"$/],
  [['--quiet-hours', '22-6'], '--quiet-hours must be two times such as 22:00-06:00, got "22-6"'],
  [['--quiet-hours', '22:00-06:00', '--time-zone', 'Mars'], /^--time-zone must be a time zone/],
  [['--time-zone', 'UTC'], '--time-zone is for --quiet-hours, which is not given'],
  [['--output-expires-after', 'long'], /^--output-expires-after must be a number of seconds/],
])('%j is refused', (args, message) => {
  expect(() => readBatchFields(line(...args), NOON_MS)).toThrow(message);
});

const recipe = ['--model', 'gpt-4o', '--prompt', 'Sum up: {{review}}'];

test('what an input is, is told by its name or by --input-format', () => {
  const kind = (name: string, ...more: string[]): unknown => {
    const plan = planInput(line(...more), name, name);
    return plan.kind === 'lines' ? 'lines' : [plan.source.format, plan.source.delimiter];
  };
  expect(kind('a.jsonl')).toBe('lines');
  expect(kind('-')).toBe('lines');
  expect(kind('A.CSV', ...recipe)).toEqual(['csv', null]);
  expect(kind('a.tsv', ...recipe)).toEqual(['csv', '\t']);
  expect(kind('a.csv', ...recipe, '--delimiter', String.raw`\t`)).toEqual(['csv', '\t']);
  expect(kind('a.txt', '--model', 'm')).toEqual(['text', null]);
  expect(kind('-', '--input-format', 'csv', ...recipe)).toEqual(['csv', null]);
});

test.each([
  ['a.xlsx', [], 'a.xlsx: save the sheet as CSV (UTF-8) and give that file'],
  ['a.bin', [], /^a\.bin: its name does not tell what it is: add --input-format/],
  ['a.csv', ['--input-format', 'xml'], /^--input-format must be one of jsonl, csv, tsv, text/],
  ['a.jsonl', ['--model', 'm'], /^--model is for CSV and plain text; in JSONL each line/],
  ['a.csv', ['--prompt', 'x'], /^--model is missing/],
  [
    'a.csv',
    ['--model', 'm'],
    /^--prompt is missing: .*such as --prompt 'Summarise: \{\{review\}\}'$/,
  ],
  ['a.csv', [...recipe, '--body', '[1]'], '--body must be a JSON object, got "[1]"'],
  [
    'a.csv',
    [...recipe, '--body', '{a'],
    /^--body must be a JSON object such as '\{"seed": 7\}', got "\{a"$/,
  ],
  ['a.csv', [...recipe, '--max-tokens', '0'], /^--max-tokens must be a whole number from 1 to/],
  [
    'a.csv',
    [...recipe, '--temperature', 'hot'],
    '--temperature must be a number from 0 to 2, got "hot"',
  ],
  ['a.csv', [...recipe, '--delimiter', ';;'], '--delimiter must be one character, got ";;"'],
  ['a.csv', [...recipe, '--encoding', 'klingon'], /^--encoding must be an encoding/],
  ['a.csv', [...recipe, '--endpoint', '/v2'], /^--endpoint must be one of \/v1\/chat/],
  ['a.csv', [...recipe, '--system', 's', '--endpoint', '/v1/embeddings'], /^--system is for chat/],
  [
    'a.csv',
    ['--model', 'm', '--prompt-file', '/no/such'],
    /^--prompt-file: \/no\/such cannot be read/,
  ],
  ['a.csv', [...recipe, '--prompt-file', 'x'], '--prompt and --prompt-file cannot both be given'],
])('%s %j is refused', (name, args, message) => {
  expect(() => planInput(line(...args), name, name)).toThrow(message);
});

test('where the API is: the flag, NIGHTSHIFT_URL, HOST and PORT; the provider’s key is not sent', () => {
  const url = (given: string | undefined, environment = {}): string =>
    readServer(given, environment).url;
  expect(url(undefined)).toBe('http://127.0.0.1:3000');
  expect(url(undefined, { HOST: '0.0.0.0', PORT: '3100' })).toBe('http://127.0.0.1:3100');
  expect(url(undefined, { NIGHTSHIFT_URL: 'https://a.example/', PORT: '1' })).toBe(
    'https://a.example',
  );
  expect(url('http://b:1/v1/', { NIGHTSHIFT_URL: 'https://a.example' })).toBe('http://b:1');
  expect(() => url('b:1')).toThrow('--url must be an http or https URL such as');
  expect(() => url(undefined, { NIGHTSHIFT_URL: 'x' })).toThrow(
    /^NIGHTSHIFT_URL must be .*, got "x"$/,
  );
  expect(readServer(undefined, { OPENAI_API_KEY: 'sk', NIGHTSHIFT_API_KEY: 'ns' }).apiKey).toBe(
    'ns',
  );
  expect(readServer(undefined, { OPENAI_API_KEY: 'sk' }).apiKey).toBeNull();
});
