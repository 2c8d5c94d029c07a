import { extname } from 'node:path';
import type { BatchView } from '@nightshift/shared/http';
import { UsageError } from '../../flags.ts';
import type { OptionTable } from '../command-line.ts';
import { markedEncoding } from '../input/decode-text.ts';
import { planRows } from '../input/plan.ts';
import type { Session } from '../session.ts';
import { linesOf, resultBytes } from './result-lines.ts';
import { BYTE_ORDER_MARK, resultTable, type JoinedRows } from './result-table.ts';
import { targetOf, type Target } from './target.ts';

export const outputOptions: OptionTable = {
  output: {
    short: 'o',
    value: 'FILE',
    about: 'where the results go; - is the standard output. A file appears when it is complete',
  },
  'output-format': {
    value: 'FORMAT',
    about:
      'jsonl, csv or tsv; else by the name of the output. A table has the answers beside the rows that were sent',
  },
  force: { short: 'f', about: 'replace an output that is there already' },
};

/** Of a command that knows the batch and not what it was made of. */
export const inputOption: OptionTable = {
  input: {
    value: 'FILE',
    about: 'the CSV or plain text that the batch was made of, to have its rows beside the answers',
  },
};

/** Where results go, and how they look there. */
export interface Output {
  target: Target;
  format: 'jsonl' | 'csv' | 'tsv';
  joined: JoinedRows | null;
}

const FORMATS = ['jsonl', 'csv', 'tsv'] as const;
const EXTENSIONS: Readonly<Record<string, Output['format']>> = {
  '.jsonl': 'jsonl',
  '.ndjson': 'jsonl',
  '.csv': 'csv',
  '.tsv': 'tsv',
  '.tab': 'tsv',
};

/**
 * @param given the output when no flag names one, or null for none
 * @throws UsageError
 */
export async function readOutput(
  { line, stdout }: Pick<Session, 'line' | 'stdout'>,
  given: string | null,
  input: string | null,
  joined: JoinedRows | null,
): Promise<Output | null> {
  const name = line.one('output') ?? given;
  if (name === null) {
    const stray = ['output-format', 'force', 'input'].find((flag) => line.has(flag));
    if (stray !== undefined)
      throw new UsageError(`--${stray} is for results: say where they go with -o FILE`);
    return null;
  }
  if (name === '-' && line.has('json')) {
    throw new UsageError('--json and results cannot both go to the standard output: add -o FILE');
  }
  const format = formatOf(line.one('output-format'), name);
  const path = line.one('input');
  const rows =
    path === undefined
      ? joined
      : { source: planRows(line, path), idColumn: line.one('id-column') ?? null };
  if (path !== undefined && format === 'jsonl') {
    throw new UsageError('--input is for results as a table: name an output such as answers.csv');
  }
  const target = await targetOf(name, { force: line.has('force'), input: path ?? input, stdout });
  return { target, format, joined: rows };
}

/** @throws UsageError */
function formatOf(given: string | undefined, name: string): Output['format'] {
  if (given !== undefined) {
    const known = FORMATS.find((format) => format === given);
    if (known !== undefined) return known;
    throw new UsageError(
      `--output-format must be one of ${FORMATS.join(', ')}, got ${JSON.stringify(given)}`,
    );
  }
  const extension = extname(name).toLowerCase();
  const known = extension === '' ? 'jsonl' : EXTENSIONS[extension];
  if (known !== undefined) return known;
  throw new UsageError(
    `-o ${name}: results cannot be written as ${extension}: name a file that ends in ${Object.keys(EXTENSIONS).join(', ')}, or add --output-format ${FORMATS.join(' | ')}`,
  );
}

/** Writes the results of a batch as they stand. */
export async function writeResults(
  session: Session,
  { id, input_file_id: inputFileId }: BatchView,
  { target, format, joined }: Output,
  order: 'input' | 'completion' = 'input',
): Promise<void> {
  const bytes = resultBytes(id, order, session);
  const delimiter = format === 'tsv' ? '\t' : null;
  const content =
    format === 'jsonl'
      ? markedAs(inputFileId, bytes, session)
      : resultTable(linesOf(bytes), joined, delimiter);
  const sink = await target.open();
  try {
    for await (const chunk of content) await sink.write(chunk);
    session.signal.throwIfAborted();
    await sink.commit();
  } finally {
    await sink.discard();
  }
}

/** JSON lines with the byte-order mark that the JSON lines of the input began with. */
async function* markedAs(
  inputFileId: string,
  bytes: AsyncIterable<Uint8Array>,
  { client, patience }: Session,
): AsyncGenerator<Uint8Array | string, void, undefined> {
  const start = await patience.with(async () => await client.fileStart(inputFileId));
  if (start !== null && markedEncoding(start) === 'utf-8') yield BYTE_ORDER_MARK;
  yield* bytes;
}
