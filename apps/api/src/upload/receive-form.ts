import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { Busboy, type BusboyInstance } from '@fastify/busboy';
import { BlobTooLargeError } from '@nightshift/blobs';
import { ApiError } from '@nightshift/shared/errors';

/** A form's fields are names and numbers; its headers are a line or two. */
const LIMITS = { fields: 16, parts: 20, fieldSize: 1024, headerPairs: 32, headerSize: 8192 };

interface ReceivedFile {
  /** Without any folder that its sender named. */
  filename: string;
  bytes: number;
  /** Hex digits. */
  sha256: string;
}

export interface Form {
  fields: Readonly<Record<string, string>>;
  file: ReceivedFile;
}

export interface FormRules {
  /** The one field that is a file. */
  fileField: string;
  mostBytes: number;
}

/** Writes what it reads, and ends with the signal's reason when that is aborted. */
export type Keep = (
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
) => Promise<{ bytes: number }>;

/**
 * Reads a `multipart/form-data` body, its parts in any order: SDKs send the file before or after the fields that say what it
 * is for. The file goes to `keep` as it comes, no faster than that takes it. Rejects once `keep` has come to its end.
 * @throws ApiError that names the field.
 */
export async function receiveForm(
  raw: IncomingMessage,
  { fileField, mostBytes }: FormRules,
  keep: Keep,
): Promise<Form> {
  const parser = openParser(raw.headers);
  const failing = new AbortController();
  const fail = (error: unknown): void => failing.abort(error);
  const finished = Promise.withResolvers<void>();
  failing.signal.addEventListener('abort', () => finished.reject(failing.signal.reason));
  const fields: Record<string, string> = Object.create(null) as Record<string, string>;
  let file: Promise<ReceivedFile> | undefined;

  parser.on('field', (name: string | undefined, value, _isNameCut, isValueCut) => {
    if (name === undefined) fail(malformed('a part has no name'));
    else if (name === fileField) fail(invalid(name, 'must be a file, with a file name'));
    else if (name in fields) fail(invalid(name, 'must be given once'));
    else if (isValueCut) fail(invalid(name, `must be at most ${LIMITS.fieldSize} bytes long`));
    else fields[name] = value;
  });
  parser.on('file', (name: string | undefined, stream, filename) => {
    // The parser tells of its own errors, and `keep` of those that it ends the stream with.
    stream.on('error', () => {});
    if (name === undefined) fail(malformed('a part has no name'));
    else if (name !== fileField) fail(invalid(name, `only '${fileField}' may be a file`));
    else if (file !== undefined) fail(invalid(name, 'must be given once'));
    if (failing.signal.aborted) {
      stream.resume();
      return;
    }
    const hash = createHash('sha256');
    file = keep(hashed(stream, hash), failing.signal).then(({ bytes }) => ({
      filename,
      bytes,
      sha256: hash.digest('hex'),
    }));
    file.catch(fail);
  });
  for (const limit of ['partsLimit', 'fieldsLimit'] as const) {
    parser.on(limit, () => fail(malformed('it has too many parts')));
  }
  parser.on('error', (error) => fail(malformed(wordsOf(error))));
  parser.on('finish', () => finished.resolve());
  raw.on('error', fail);
  raw.once('close', () => {
    if (!raw.readableEnded) fail(malformed('it ended too early'));
  });

  try {
    raw.pipe(parser);
    await finished.promise;
    if (file === undefined) throw missing(fileField);
    return { fields, file: await file };
  } catch (error) {
    fail(error);
    raw.unpipe(parser);
    await file?.catch(() => {});
    throw error instanceof BlobTooLargeError ? tooLarge(fileField, mostBytes) : error;
  }
}

export function tooLarge(field: string, mostBytes: number): ApiError {
  return new ApiError('body_too_large', `'${field}' must be at most ${mostBytes} bytes long.`, {
    param: field,
  });
}

function openParser(headers: IncomingHttpHeaders): BusboyInstance {
  const { 'content-type': type = '' } = headers;
  // Ours, since some names and values would otherwise be read as something else: an empty boundary matches everywhere.
  if (!/;\s*boundary=("[^"]{1,200}"|[^\s";]{1,200})\s*(;|$)/i.test(type)) {
    throw malformed('its Content-Type names no boundary', 'Content-Type');
  }
  return new Busboy({
    headers: { ...headers, 'content-type': type },
    limits: LIMITS,
    isPartAFile: (_name, _type, filename) => filename !== undefined,
  });
}

async function* hashed(
  source: AsyncIterable<Uint8Array>,
  hash: ReturnType<typeof createHash>,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of source) {
    hash.update(chunk);
    yield chunk;
  }
}

function wordsOf(error: unknown): string {
  return /unexpected end/i.test((error as Error).message)
    ? 'it ended too early'
    : 'it cannot be parsed';
}

function malformed(what: string, param: string | null = null): ApiError {
  return new ApiError('invalid_multipart', `The form is not valid multipart/form-data: ${what}.`, {
    param,
  });
}

function invalid(name: string, rule: string): ApiError {
  const param = name.length > 64 ? `${name.slice(0, 64)}…` : name;
  return new ApiError('invalid_value', `Invalid '${param}': ${rule}.`, { param });
}

function missing(name: string): ApiError {
  return new ApiError('missing_required_parameter', `Missing required parameter: '${name}'.`, {
    param: name,
  });
}
