import { once } from 'node:events';
import { Readable } from 'node:stream';
import { parse, type CsvError } from 'csv-parse';
import { decodeText } from './decode-text.ts';
import { InputProblem } from './input-problem.ts';

/** One row of a spreadsheet, or one line of a plain text. */
interface Row {
  /** From 1, as an editor shows it: where it begins. */
  line: number;
  /** From 1, the header not counted. */
  number: number;
  /** One for each column. */
  values: readonly string[];
}

export interface Table {
  columns: readonly string[];
  /** Null in a plain text. */
  delimiter: string | null;
  rows: AsyncGenerator<Row, void, undefined>;
}

export interface TableSource {
  /** As messages tell it. */
  name: string;
  path: string;
  format: 'csv' | 'text';
  /** Null: what its first line has most of. */
  delimiter: string | null;
  /** Null: UTF-8, or what a byte-order mark says. */
  encoding: string | null;
}

/** The only column of a plain text. */
export const TEXT_COLUMN = 'line';
/** An open quote would otherwise take the whole file for one field. */
const MOST_RECORD_CHARACTERS = 16_000_000;

/** Opens a table as a stream. @throws InputProblem, also from its rows */
export async function openTable(source: TableSource): Promise<Table> {
  const text = decodeText(source);
  return source.format === 'text'
    ? { columns: [TEXT_COLUMN], delimiter: null, rows: textRows(text) }
    : await openCsv(source, text);
}

/** Lines that are not blank; a row's number is its line's. */
async function* textRows(text: AsyncIterable<string>): AsyncGenerator<Row, void, undefined> {
  let rest = '';
  let line = 0;
  const rowOf = (given: string): Row | null => {
    line += 1;
    const value = given.endsWith('\r') ? given.slice(0, -1) : given;
    return value.trim() === '' ? null : { line, number: line, values: [value] };
  };
  for await (const chunk of text) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const given of lines) {
      const row = rowOf(given);
      if (row !== null) yield row;
    }
  }
  const last = rest === '' ? null : rowOf(rest);
  if (last !== null) yield last;
}

async function openCsv(
  { name, delimiter: given }: TableSource,
  text: AsyncGenerator<string, void, undefined>,
): Promise<Table> {
  const { value: start } = await text.next();
  if (start === undefined || start.trim() === '') {
    throw new InputProblem(`${name}: the file is empty; its first line must name the columns`);
  }
  const delimiter = given ?? commonestDelimiter(start);
  const records = readRecords(name, delimiter, joined(start, text));
  const { value: header } = await records.next();
  const columns = (header?.values ?? []).map((name) => name.trim());
  return { columns, delimiter, rows: numbered(records) };
}

async function* numbered(
  records: AsyncIterable<Omit<Row, 'number'>>,
): AsyncGenerator<Row, void, undefined> {
  let number = 0;
  for await (const record of records) {
    number += 1;
    yield { ...record, number };
  }
}

/** What separates the columns of the first line: a comma, as the name says, or what spreadsheets of half the world write. */
function commonestDelimiter(start: string): string {
  const [line = ''] = start.replaceAll(/"[^"]*"/g, '').split('\n');
  const count = (delimiter: string): number => line.split(delimiter).length;
  const [first = ','] = [',', ';', '\t'].toSorted((a, b) => count(b) - count(a));
  return first;
}

async function* joined(start: string, rest: AsyncIterable<string>) {
  yield start;
  yield* rest;
}

async function* readRecords(
  name: string,
  delimiter: string,
  text: AsyncIterable<string>,
): AsyncGenerator<Omit<Row, 'number'>, void, undefined> {
  const parser = parse({
    delimiter,
    info: true,
    skip_empty_lines: true,
    max_record_size: MOST_RECORD_CHARACTERS,
  });
  const source = Readable.from(text);
  source.on('error', (error) => parser.destroy(error));
  source.pipe(parser);
  let line = 1;
  try {
    for await (const { record, info } of parser as AsyncIterable<Parsed>) {
      // What was skipped before it counts as its own: empty lines are rare, and the first one is near.
      yield { line, values: record };
      line = info.lines + 1;
    }
  } catch (error) {
    throw isCsvError(error) ? describe(name, error) : error;
  } finally {
    source.destroy();
    if (!parser.destroyed) {
      parser.destroy();
      await once(parser, 'close');
    }
  }
}

interface Parsed {
  record: string[];
  info: { lines: number };
}

function isCsvError(error: unknown): error is CsvError {
  return typeof (error as { code?: unknown }).code === 'string' && 'lines' in (error as object);
}

const RULES: Readonly<Record<string, string>> = {
  CSV_QUOTE_NOT_CLOSED: 'a quoted field is never closed: its last quote is missing',
  CSV_INVALID_CLOSING_QUOTE:
    'a quote within a quoted field must be doubled, and nothing may follow the last one',
  INVALID_OPENING_QUOTE: 'a quote may only begin a field: quote the whole field, and double it',
  CSV_MAX_RECORD_SIZE: 'this row is too long; perhaps a quote is not closed',
};

function describe(name: string, error: CsvError): InputProblem {
  const line = Number((error as { lines?: unknown }).lines);
  const rule =
    error.code === 'CSV_RECORD_INCONSISTENT_FIELDS_LENGTH'
      ? `this row has not as many columns as the first one (${error.message})`
      : (RULES[error.code] ?? error.message);
  return new InputProblem(`${name}, line ${line}: ${rule}`);
}
