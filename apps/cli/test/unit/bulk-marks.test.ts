import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import * as fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { readCommandLine } from '../../src/bulk/command-line.ts';
import { tableOptions } from '../../src/bulk/input/plan.ts';
import { openTable } from '../../src/bulk/input/table.ts';
import {
  inputOption,
  outputOptions,
  readOutput,
  writeResults,
} from '../../src/bulk/output/write-results.ts';
import type { Session } from '../../src/bulk/session.ts';
import { batchView } from '../support/batches.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'nightshift-test-'));
  return () => rmSync(folder, { recursive: true, force: true });
});

const MARK = '\uFEFF';
let files = 0;
const newPath = (extension: string): string => {
  files += 1;
  return join(folder, `${files}${extension}`);
};

function line(...args: string[]) {
  const options = { all: { ...outputOptions, ...inputOption, ...tableOptions } };
  const read = readCommandLine(args, {
    ...{ usage: 'x', about: [], options },
    words: { least: 0, most: 0, names: 'INPUT' },
  });
  if (read === 'help') throw new Error('asked for help');
  return read;
}

/** A session whose batch has these results, and whose input file begins so; null when it is deleted. */
function session(args: string[], results: readonly string[], inputStart: string | null): Session {
  const bytes = async function* () {
    yield Buffer.from(results.map((result) => `${result}\n`).join(''));
  };
  return {
    line: line(...args),
    stdout: new PassThrough(),
    signal: new AbortController().signal,
    patience: { with: async <T>(call: () => Promise<T>) => await call() },
    client: {
      results: async () => ({ bytes: bytes(), nextAfter: '' }),
      fileStart: async () => (inputStart === null ? null : Buffer.from(inputStart).subarray(0, 3)),
    },
  } as unknown as Session;
}

const result = (id: string, content: string): string =>
  JSON.stringify({
    custom_id: id,
    response: { status_code: 200, body: { choices: [{ message: { content } }] } },
    error: null,
  });

/** Writes results with these flags, and returns the bytes of the output. */
async function written(
  args: string[],
  extension: string,
  { results, inputStart = null }: { results: readonly string[]; inputStart?: string | null },
): Promise<Buffer> {
  const path = newPath(extension);
  const all = session(['-o', path, ...args], results, inputStart);
  const output = await readOutput(all, null, null, null);
  if (output === null) throw new Error('no output');
  await writeResults(all, batchView(), output);
  return readFileSync(path);
}

const cell = fc
  .string({ unit: fc.constantFrom('a', 'ß', '漢', '🌙', '"', ',', ';', ' ', '\n'), maxLength: 6 })
  .map((text) => `x${text}x`);

test('a table with a mark gives a table with a mark and unchanged rows, in any encoding and with any delimiter', async () => {
  const given = fc.record({
    rows: fc.array(fc.tuple(cell, cell), { minLength: 1, maxLength: 4 }),
    delimiter: fc.constantFrom(',', ';', '\t'),
    isMarked: fc.boolean(),
    encoding: fc.constantFrom('utf8' as const, 'utf16le' as const),
    input: fc.constantFrom('.csv', '.tsv'),
    output: fc.constantFrom('.csv', '.tsv', '.tab'),
  });
  await fc.assert(
    fc.asyncProperty(given, async (of) => {
      // UTF-16 is only known by its mark.
      const isMarked = of.isMarked || of.encoding === 'utf16le';
      const quoted = (value: string): string => `"${value.replaceAll('"', '""')}"`;
      const delimiter = of.input === '.tsv' ? '\t' : of.delimiter;
      const lines = [['id', 'text'], ...of.rows].map((row) => row.map(quoted).join(delimiter));
      const source = newPath(of.input);
      const text = `${isMarked ? MARK : ''}${lines.join('\r\n')}\r\n`;
      writeFileSync(source, Buffer.from(text, of.encoding));

      const results = of.rows.map((_, at) => result(`row-${at + 1}`, 'Gut 🌙'));
      const bytes = await written(['--input', source], of.output, { results });
      expect(bytes.toString('utf8').startsWith(MARK)).toBe(isMarked);
      const path = newPath(of.output);
      writeFileSync(path, bytes);
      const table = await openTable({
        ...{ name: 'out', path, format: 'csv' as const, encoding: null },
        delimiter: of.output === '.csv' ? null : '\t',
      });
      expect(table.columns.slice(0, 3)).toEqual(['id', 'text', 'answer']);
      const seen: (readonly string[])[] = [];
      for await (const { values } of table.rows) seen.push(values.slice(0, 3));
      expect(seen).toEqual(of.rows.map((row) => [...row, 'Gut 🌙']));
    }),
    { numRuns: 60 },
  );
});

test('JSON lines with a mark give JSON lines with a mark, and no other output with one', async () => {
  const results = [result('a', 'x')];
  const start = { results, inputStart: `${MARK}{"custom_id"` };
  expect((await written([], '.jsonl', start)).toString()).toBe(`${MARK}${results[0]}\n`);
  expect((await written([], '.ndjson', start)).toString()).toBe(`${MARK}${results[0]}\n`);
  expect((await written([], '.csv', start)).toString()).toMatch(/^custom_id,/);
  for (const inputStart of ['{"custom_id"', '', null]) {
    const bytes = await written([], '.jsonl', { results, inputStart });
    expect(bytes.toString()).toBe(`${results[0]}\n`);
  }
});

test('a mark counts only in the encoding that the table is read in', async () => {
  const source = newPath('.csv');
  writeFileSync(source, Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from('id\na\n')]));
  const args = ['--input', source, '--encoding', 'windows-1252'];
  const bytes = await written(args, '.csv', { results: [result('row-1', 'x')] });
  expect(bytes.toString('utf8').startsWith(MARK)).toBe(false);
});

test.each([
  ['a.xlsx', '.xlsx'],
  ['a.json', '.json'],
  ['a.jsonl.gz', '.gz'],
  ['a.TXT', '.txt'],
])(
  'an output named %s is refused, and the known extensions are listed',
  async (name, extension) => {
    await expect(readOutput(session(['-o', name], [], null), null, null, null)).rejects.toThrow(
      `-o ${name}: results cannot be written as ${extension}: name a file that ends in .jsonl, .ndjson, .csv, .tsv, .tab, or add --output-format jsonl | csv | tsv`,
    );
  },
);

test('with --output-format any name is accepted, and a name without an extension means JSON lines', async () => {
  const formatOf = async (...args: string[]) =>
    (await readOutput(session(args, [], null), null, null, null))?.format;
  expect(await formatOf('-o', join(folder, 'a.txt'), '--output-format', 'tsv')).toBe('tsv');
  expect(await formatOf('-o', join(folder, 'answers'))).toBe('jsonl');
  expect(await formatOf('-o', '-')).toBe('jsonl');
  expect(await formatOf('-o', join(folder, 'A.CSV'))).toBe('csv');
  await expect(formatOf('-o', '-', '--output-format', 'xlsx')).rejects.toThrow(
    '--output-format must be one of jsonl, csv, tsv, got "xlsx"',
  );
});
