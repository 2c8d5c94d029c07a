import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { createLineSplitter, validateInput } from '@nightshift/shared/batch';
import { endpoints, type Endpoint } from '@nightshift/shared/job';
import { createProblemList, InputProblem } from './input-problem.ts';
import { requestLines, type Recipe } from './request-of-row.ts';
import type { TableSource } from './table.ts';

/** What is to be sent, before it was looked at. */
export type InputPlan =
  | { kind: 'lines'; path: string; name: string; endpoint: Endpoint | null }
  | { kind: 'table'; source: TableSource; recipe: Recipe };

/** An input that was read once, found right, and can be read again. */
export interface BulkInput {
  /** As the user named it: `reviews.csv`. */
  name: string;
  /** As it is uploaded: `reviews.jsonl`. */
  filename: string;
  endpoint: Endpoint;
  requests: number;
  bytes: number;
  /** Of the lines as they are sent. */
  sha256: string;
  open(): AsyncIterable<Uint8Array>;
}

/** The server has its own limits; this one only bounds the memory of the check. */
const MOST_LINE_BYTES = 64_000_000;

/**
 * Looks at the whole input, as a stream.
 * @throws InputProblem with everything that is wrong with it, line by line
 */
export async function prepareInput(plan: InputPlan): Promise<BulkInput> {
  const { name, path } = plan.kind === 'lines' ? plan : plan.source;
  await checkReadable(path);
  const open =
    plan.kind === 'lines'
      ? (): AsyncIterable<Uint8Array> => createReadStream(path)
      : (): AsyncIterable<Uint8Array> => inChunks(requestLines(plan.source, plan.recipe));
  const endpoint =
    plan.kind === 'table' ? plan.recipe.endpoint : (plan.endpoint ?? (await endpointOf(path)));
  const hash = createHash('sha256');
  let bytes = 0;
  let requests = 0;
  const measured = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const chunk of open()) {
      hash.update(chunk);
      bytes += chunk.length;
      yield chunk;
    }
  };
  const problems = createProblemList(name);
  const limits = { requests: Infinity, lineBytes: MOST_LINE_BYTES };
  for await (const line of validateInput(measured(), { endpoint, limits })) {
    if (line.kind === 'error') problems.add(line.line, line.message);
    else requests += 1;
  }
  problems.throwIfAny();
  return {
    name,
    filename: uploadName(name),
    endpoint,
    requests,
    bytes,
    sha256: hash.digest('hex'),
    open,
  };
}

const MOST_NAME_CHARACTERS = 255;
/** Extensions of formats that are converted to JSONL for the upload. Any other extension stays part of the name. */
const CONVERTED = new Set(['.ndjson', '.csv', '.tsv', '.tab', '.txt']);

/** The file name for the upload: the user's own, with the extension .jsonl that a batch needs. */
export function uploadName(name: string): string {
  const own = basename(name)
    .toWellFormed()
    .replaceAll(/\p{Cc}/gu, '_');
  const extension = extname(own).toLowerCase();
  const isJsonl = extension === '.jsonl';
  const stem = isJsonl || CONVERTED.has(extension) ? own.slice(0, -extension.length) : own;
  const ending = isJsonl ? own.slice(-extension.length) : '.jsonl';
  return `${stem.slice(0, MOST_NAME_CHARACTERS - ending.length).toWellFormed()}${ending}`;
}

async function checkReadable(path: string): Promise<void> {
  try {
    if (!(await stat(path)).isDirectory()) return;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw new InputProblem(`${path}: there is no such file`);
    throw new InputProblem(`${path}: ${(error as Error).message}`);
  }
  throw new InputProblem(`${path}: this is a folder`);
}

/** The endpoint that the first request names; what is wrong with that line is told by the check. */
async function endpointOf(path: string): Promise<Endpoint> {
  const splitter = createLineSplitter(MOST_LINE_BYTES);
  for await (const chunk of createReadStream(path)) {
    for (const { bytes } of splitter.push(chunk as Buffer)) {
      const text = bytes?.toString('utf8').trim() ?? '';
      if (text !== '') return urlOf(text);
    }
  }
  return urlOf(splitter.end()?.bytes?.toString('utf8') ?? '');
}

function urlOf(text: string): Endpoint {
  try {
    const { url } = JSON.parse(text) as { url?: unknown };
    const known = endpoints.find((endpoint) => endpoint === url);
    if (known !== undefined) return known;
  } catch {
    // Not a request: the check says so, with its line.
  }
  return '/v1/chat/completions';
}

const CHUNK_CHARACTERS = 65_536;

async function* inChunks(
  lines: AsyncIterable<string>,
): AsyncGenerator<Uint8Array, void, undefined> {
  let held = '';
  for await (const line of lines) {
    held += line;
    if (held.length < CHUNK_CHARACTERS) continue;
    yield Buffer.from(held);
    held = '';
  }
  if (held !== '') yield Buffer.from(held);
}
