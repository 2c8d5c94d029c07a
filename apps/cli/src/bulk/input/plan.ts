import { readFileSync } from 'node:fs';
import { extname } from 'node:path';
import { endpoints, type Endpoint } from '@nightshift/shared/job';
import { UsageError } from '../../flags.ts';
import type { CommandLine, OptionTable } from '../command-line.ts';
import { numberOf, objectOf } from '../values.ts';
import { isEncoding } from './decode-text.ts';
import type { InputPlan } from './prepare.ts';
import type { Recipe } from './request-of-row.ts';
import { TEXT_COLUMN, type TableSource } from './table.ts';

/** How a table is read; also when its rows are wanted again, for the answers. */
export const tableOptions: OptionTable = {
  'input-format': {
    value: 'FORMAT',
    about: 'jsonl, csv, tsv or text; else by the name of the file',
  },
  'id-column': {
    value: 'COLUMN',
    about: 'the column with the custom_id of each row; else row-1, row-2 …',
  },
  delimiter: { value: 'CHAR', about: 'between columns; else what the first line has most of' },
  encoding: {
    value: 'NAME',
    about: 'of the file, such as windows-1252; else UTF-8, or by its byte-order mark',
  },
};

export const recipeOptions: OptionTable = {
  model: { value: 'MODEL', about: 'the model of every request' },
  prompt: {
    value: 'TEXT',
    about: `the prompt, with {{COLUMN}} for what stands there; {{${TEXT_COLUMN}}} in a plain text`,
  },
  'prompt-file': { value: 'FILE', about: 'the same from a file' },
  system: { value: 'TEXT', about: 'the system message, with {{COLUMN}} too' },
  'system-file': { value: 'FILE', about: 'the same from a file' },
  'max-tokens': { value: 'N', about: 'most tokens of an answer' },
  temperature: { value: 'N', about: 'from 0 to 2' },
  body: { value: 'JSON', about: 'an object with more fields for every request' },
};

const EXTENSIONS: Readonly<Record<string, Format>> = {
  '.jsonl': 'jsonl',
  '.ndjson': 'jsonl',
  '.csv': 'csv',
  '.tsv': 'tsv',
  '.tab': 'tsv',
  '.txt': 'text',
};
const FORMATS = ['jsonl', 'csv', 'tsv', 'text'] as const;
type Format = (typeof FORMATS)[number];

const SPREADSHEETS = /\.(xlsx?|xlsm|ods|numbers)$/i;

/** @throws UsageError */
function formatOf(given: string | undefined, name: string): Format {
  if (given !== undefined) {
    const known = FORMATS.find((format) => format === given);
    if (known !== undefined) return known;
    throw new UsageError(
      `--input-format must be one of ${FORMATS.join(', ')}, got ${JSON.stringify(given)}`,
    );
  }
  if (name === '-') return 'jsonl';
  if (SPREADSHEETS.test(name))
    throw new UsageError(`${name}: save the sheet as CSV (UTF-8) and give that file`);
  const known = EXTENSIONS[extname(name).toLowerCase()];
  if (known !== undefined) return known;
  throw new UsageError(
    `${name}: its name does not tell what it is: add --input-format ${FORMATS.join(' | ')}`,
  );
}

/**
 * @param path where the input can be read, which is not its name when it comes through a pipe
 * @throws UsageError
 */
export function planInput(line: CommandLine, name: string, path: string): InputPlan {
  const format = formatOf(line.one('input-format'), name);
  const endpoint = readEndpoint(line.one('endpoint'));
  if (format === 'jsonl') {
    const stray = [...Object.keys(recipeOptions), 'id-column', 'delimiter', 'encoding'].find(
      (flag) => line.has(flag),
    );
    if (stray === undefined) return { kind: 'lines', path, name: shownName(name), endpoint };
    throw new UsageError(
      `--${stray} is for CSV and plain text; in JSONL each line holds its whole request`,
    );
  }
  return {
    kind: 'table',
    source: tableSource(line, shownName(name), path, format),
    recipe: readRecipe(line, format, endpoint ?? '/v1/chat/completions'),
  };
}

/** The rows of a table, wanted beside their answers. @throws UsageError */
export function planRows(line: CommandLine, path: string): TableSource {
  const format = formatOf(line.one('input-format'), path);
  if (format !== 'jsonl') return tableSource(line, path, path, format);
  throw new UsageError(
    `--input must be the CSV or plain text that the batch was made of, got ${path}`,
  );
}

const shownName = (name: string): string => (name === '-' ? 'stdin' : name);

function tableSource(
  line: CommandLine,
  name: string,
  path: string,
  format: Exclude<Format, 'jsonl'>,
): TableSource {
  const given = line.one('delimiter') ?? (format === 'tsv' ? '\t' : null);
  const delimiter = given === '\\t' ? '\t' : given;
  const encoding = line.one('encoding') ?? null;
  if (delimiter !== null && delimiter.length !== 1) {
    throw new UsageError(`--delimiter must be one character, got ${JSON.stringify(delimiter)}`);
  }
  if (encoding !== null && !isEncoding(encoding)) {
    throw new UsageError(
      `--encoding must be an encoding such as utf-8 or windows-1252, got ${JSON.stringify(encoding)}`,
    );
  }
  const kind = format === 'text' ? 'text' : 'csv';
  return { name, path, format: kind, delimiter, encoding };
}

function readEndpoint(given: string | undefined): Endpoint | null {
  if (given === undefined) return null;
  const known = endpoints.find((endpoint) => endpoint === given);
  if (known !== undefined) return known;
  throw new UsageError(
    `--endpoint must be one of ${endpoints.join(', ')}, got ${JSON.stringify(given)}`,
  );
}

function readRecipe(line: CommandLine, format: Format, endpoint: Endpoint): Recipe {
  const model = line.one('model');
  if (model === undefined)
    throw new UsageError('--model is missing: a table does not say which model answers');
  const prompt = textOf(line, 'prompt') ?? (format === 'text' ? `{{${TEXT_COLUMN}}}` : null);
  if (prompt === null) {
    throw new UsageError(
      "--prompt is missing: the text of each request, with {{COLUMN}} for what stands there, such as --prompt 'Summarise: {{review}}'",
    );
  }
  const system = textOf(line, 'system');
  if (system !== null && !['/v1/chat/completions', '/v1/responses'].includes(endpoint)) {
    throw new UsageError(`--system is for chat completions and responses, not for ${endpoint}`);
  }
  return {
    endpoint,
    model,
    prompt,
    system,
    idColumn: line.one('id-column') ?? null,
    body: objectOf(line.one('body'), '--body'),
    maxTokens: numberOf(line.one('max-tokens'), '--max-tokens', {
      least: 1,
      most: 10_000_000,
      whole: true,
    }),
    temperature: numberOf(line.one('temperature'), '--temperature', {
      least: 0,
      most: 2,
      whole: false,
    }),
  };
}

/** The value of `--NAME` or the content of `--NAME-file`. */
function textOf(line: CommandLine, name: string): string | null {
  const file = line.one(`${name}-file`);
  if (file === undefined) return line.one(name) ?? null;
  if (line.has(name)) throw new UsageError(`--${name} and --${name}-file cannot both be given`);
  try {
    return readFileSync(file, 'utf8')
      .replace(/^\uFEFF/, '')
      .trimEnd();
  } catch (error) {
    throw new UsageError(`--${name}-file: ${file} cannot be read: ${(error as Error).message}`);
  }
}
