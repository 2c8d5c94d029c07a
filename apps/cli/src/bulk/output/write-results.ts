import { extname } from 'node:path';
import type { BatchView } from '@nightshift/shared/http';
import { UsageError } from '../../flags.ts';
import type { OptionTable } from '../command-line.ts';
import { markedEncoding } from '../input/decode-text.ts';
import { planRows } from '../input/plan.ts';
import type { Session } from '../session.ts';
import { mergedResults, retryChain } from './merge-retries.ts';
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

/** For commands that may be given a retry. */
export const mergedOption: OptionTable = {
  merged: {
    about: 'for a retry: write all results of the first batch, each as of its last retry',
  },
};

/** Where results go, and how they look there. */
export interface Output {
  target: Target;
  format: 'jsonl' | 'csv' | 'tsv';
  joined: JoinedRows | null;
  /** Merge a retry with the batches that it retries, in the order of the first input. */
  isMerged: boolean;
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
    const stray = ['output-format', 'force', 'input', 'merged'].find((flag) => line.has(flag));
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
  return { target, format, joined: rows, isMerged: line.has('merged') };
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
  batch: BatchView,
  output: Output,
  order: 'input' | 'completion' = 'input',
): Promise<void> {
  const sink = await output.target.open();
  try {
    for await (const chunk of await contentOf(session, batch, output, order))
      await sink.write(chunk);
    session.signal.throwIfAborted();
    await sink.commit();
  } finally {
    await sink.discard();
  }
}

async function contentOf(
  session: Session,
  batch: BatchView,
  { format, joined, isMerged }: Output,
  order: 'input' | 'completion',
): Promise<AsyncIterable<Uint8Array | string>> {
  const chain = isMerged ? await retryChain(batch, session) : [batch];
  const [first = batch] = chain;
  const isTable = format !== 'jsonl';
  const delimiter = format === 'tsv' ? '\t' : null;
  if (chain.length > 1) {
    const lines = mergedResults(
      chain.map(({ id }) => id),
      session,
    );
    return isTable
      ? resultTable(lines, joined, delimiter)
      : markedAs(first.input_file_id, withLineFeeds(lines), session);
  }
  const bytes = resultBytes(batch.id, order, session);
  return isTable
    ? resultTable(linesOf(bytes), joined, delimiter)
    : markedAs(first.input_file_id, bytes, session);
}

async function* withLineFeeds(
  lines: AsyncIterable<string>,
): AsyncGenerator<string, void, undefined> {
  for await (const line of lines) yield `${line}\n`;
}

/** JSON lines, with a byte-order mark if the JSON lines of the input began with one. */
async function* markedAs(
  inputFileId: string,
  content: AsyncIterable<Uint8Array | string>,
  { client, patience }: Session,
): AsyncGenerator<Uint8Array | string, void, undefined> {
  const start = await patience.with(async () => await client.fileStart(inputFileId));
  if (start !== null && markedEncoding(start) === 'utf-8') yield BYTE_ORDER_MARK;
  yield* content;
}
