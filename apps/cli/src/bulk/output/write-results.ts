import { extname } from 'node:path';
import { UsageError } from '../../flags.ts';
import type { OptionTable } from '../command-line.ts';
import { planRows } from '../input/plan.ts';
import type { Session } from '../session.ts';
import { mergedResults, retryChain } from './merge-retries.ts';
import { linesOf, resultBytes } from './result-lines.ts';
import { resultTable, type JoinedRows } from './result-table.ts';
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

/** Of a command that may be given a retry. */
export const mergedOption: OptionTable = {
  merged: {
    about: 'of a retry: all results of the first batch too, each as the last retry left it',
  },
};

/** Where results go, and how they look there. */
export interface Output {
  target: Target;
  format: 'jsonl' | 'csv' | 'tsv';
  joined: JoinedRows | null;
  /** A retry is written with what it retries, in the order of the first input. */
  isMerged: boolean;
}

const FORMATS = ['jsonl', 'csv', 'tsv'] as const;

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

function formatOf(given: string | undefined, name: string): Output['format'] {
  const known = FORMATS.find(
    (format) => format === (given ?? extname(name).slice(1).toLowerCase()),
  );
  if (known !== undefined) return known;
  if (given === undefined) return 'jsonl';
  throw new UsageError(
    `--output-format must be one of ${FORMATS.join(', ')}, got ${JSON.stringify(given)}`,
  );
}

/** Writes the results of a batch as they stand. */
export async function writeResults(
  session: Session,
  id: string,
  output: Output,
  order: 'input' | 'completion' = 'input',
): Promise<void> {
  const sink = await output.target.open();
  try {
    for await (const chunk of await contentOf(session, id, output, order)) await sink.write(chunk);
    session.signal.throwIfAborted();
    await sink.commit();
  } finally {
    await sink.discard();
  }
}

async function contentOf(
  session: Session,
  id: string,
  { format, joined, isMerged }: Output,
  order: 'input' | 'completion',
): Promise<AsyncIterable<Uint8Array | string>> {
  const delimiter = format === 'tsv' ? '\t' : null;
  const chain = isMerged ? await retryChain(id, session) : [id];
  if (chain.length > 1) {
    const lines = mergedResults(chain, session);
    return format === 'jsonl' ? withLineFeeds(lines) : resultTable(lines, joined, delimiter);
  }
  const bytes = resultBytes(id, order, session);
  return format === 'jsonl' ? bytes : resultTable(linesOf(bytes), joined, delimiter);
}

async function* withLineFeeds(
  lines: AsyncIterable<string>,
): AsyncGenerator<string, void, undefined> {
  for await (const line of lines) yield `${line}\n`;
}
