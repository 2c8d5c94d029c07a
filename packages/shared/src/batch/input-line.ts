import { isUtf8 } from 'node:buffer';
import type { CustomIds } from './custom-ids.ts';
import { describeValue } from '../errors/index.ts';
import type { Endpoint } from '../job/index.ts';
import { MAX_JSON_DEPTH, scanJson } from '../json/index.ts';

/** What can be wrong with an input file, in `errors.data[].code` of a failed batch. */
export type InputErrorCode =
  | 'invalid_json_line'
  | 'missing_required_parameter'
  | 'duplicate_custom_id'
  | 'invalid_method'
  | 'invalid_url'
  | 'streaming_unsupported'
  | 'model_not_found'
  | 'line_too_long'
  | 'empty_file'
  | 'too_many_requests_in_file';

/** Where a line stands in its file. */
export interface LinePlace {
  /** From 1, blank lines counted, as an editor shows it. */
  line: number;
  /** Of the line's first byte; a byte-order mark before it is not part of it. */
  byteOffset: number;
  /** Without the line feed. */
  byteLength: number;
}

/** A line that can be sent. */
export interface InputRequest extends LinePlace {
  kind: 'request';
  customId: string;
  method: 'POST';
  url: Endpoint;
  model: string;
  /** The text of `body` as it was written. */
  bodyText: string;
  /** The same, parsed. */
  body: Readonly<Record<string, unknown>>;
}

/** One entry of `errors.data[]`. */
export interface InputError {
  kind: 'error';
  code: InputErrorCode;
  message: string;
  /** The field at fault: `custom_id`, `body.model`; null when it is the line as a whole. */
  param: string | null;
  /** Null when it is the file as a whole. */
  line: number | null;
}

export interface LineRules {
  /** The batch's: every line must name it as its `url`. */
  endpoint: Endpoint;
  /** Whether a provider serves the model; every model by default. */
  servesModel?: (model: string) => boolean;
}

/** Without it the endpoint has nothing to answer to. What the provider makes of its value is its own business. */
const requiredInBody: Readonly<Record<Endpoint, string | null>> = {
  '/v1/chat/completions': 'messages',
  '/v1/completions': 'prompt',
  // `input` is optional there: a stored prompt can stand in for it.
  '/v1/responses': null,
  '/v1/embeddings': 'input',
  '/v1/moderations': 'input',
};

/** As in a job's body. */
const MOST_MODEL_CHARACTERS = 256;

type Fields = Readonly<Record<string, unknown>>;

/**
 * Reads one line that is not blank, and adds its custom id to the others, unless those do not matter any more. The first
 * thing wrong is what is reported.
 */
export function readInputLine(
  bytes: Buffer,
  place: LinePlace,
  { endpoint, servesModel }: LineRules,
  customIds: CustomIds | null,
): InputRequest | InputError {
  const fail = (code: InputErrorCode, param: string | null, message: string): InputError => ({
    kind: 'error',
    code,
    message,
    param,
    line: place.line,
  });
  const missing = (param: string, rule: string, given: unknown): InputError =>
    fail(
      'missing_required_parameter',
      param,
      given === undefined
        ? `Missing required parameter: '${param}'.`
        : `Missing required parameter: '${param}'. It must be ${rule}, got ${describeValue(given)}.`,
    );
  const notJson = (why: string): InputError =>
    fail('invalid_json_line', null, `This line is not parseable as valid JSON${why}.`);

  if (!isUtf8(bytes)) return notJson(': it is not valid UTF-8');
  const text = bytes.toString('utf8');
  // Looked through before it is built: a deep line or a prototype key must not exist as an object even for a moment.
  const scan = scanJson(text);
  if (scan.kind === 'too_deep') {
    return fail(
      'invalid_json_line',
      null,
      `This line is nested more than ${MAX_JSON_DEPTH} levels deep.`,
    );
  }
  if (scan.kind === 'forbidden_key') {
    return fail('invalid_json_line', scan.path, `The key '${scan.path}' is not allowed.`);
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    return notJson(position(error as Error));
  }
  if (!isObject(parsed)) {
    return fail(
      'invalid_json_line',
      null,
      `This line must be a JSON object, got ${describeValue(parsed)}.`,
    );
  }

  const { custom_id: customId, method, url, body } = parsed;
  if (typeof customId !== 'string' || customId === '')
    return missing('custom_id', 'a string that is not empty', customId);
  const firstLine = customIds?.firstLine(customId, place.line) ?? place.line;
  if (firstLine !== place.line) {
    return fail(
      'duplicate_custom_id',
      'custom_id',
      `The custom_id of this request is a duplicate: line ${firstLine} has it too, and it must be unique in its batch.`,
    );
  }
  if (method == null) return missing('method', '"POST"', method);
  if (method !== 'POST') {
    return fail(
      'invalid_method',
      'method',
      `Invalid 'method': must be "POST", got ${describeValue(method)}.`,
    );
  }
  if (url == null) return missing('url', `"${endpoint}"`, url);
  if (url !== endpoint) {
    return fail(
      'invalid_url',
      'url',
      `The URL provided for this request does not match the batch endpoint: must be "${endpoint}", got ${describeValue(url)}.`,
    );
  }
  const span = scan.spans.get('body');
  if (!isObject(body) || span === undefined) return missing('body', 'an object', body);
  const { model } = body;
  if (typeof model !== 'string' || model === '')
    return missing('body.model', 'a string that is not empty', model);
  const required = requiredInBody[endpoint];
  if (required !== null && body[required] == null)
    return missing(`body.${required}`, 'given', body[required]);
  if (body['stream'] === true) {
    return fail(
      'streaming_unsupported',
      'body.stream',
      'Streaming is not supported in a batch: leave stream out.',
    );
  }
  if (model.length > MOST_MODEL_CHARACTERS || servesModel?.(model) === false) {
    return fail(
      'model_not_found',
      'body.model',
      `The provided model ${describeValue(model)} is not supported: no configured provider serves it.`,
    );
  }
  const { line, byteOffset, byteLength } = place;
  const bodyText = text.slice(span.start, span.end);
  return {
    kind: 'request',
    line,
    byteOffset,
    byteLength,
    customId,
    method,
    url: endpoint,
    model,
    bodyText,
    body,
  };
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The rest of V8's message repeats the line, which belongs into no answer. */
function position(error: Error): string {
  const [, at] = /at position (\d+)/.exec(error.message) ?? [];
  return at === undefined ? '' : ` (at position ${at})`;
}
