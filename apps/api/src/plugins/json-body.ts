import { isUtf8 } from 'node:buffer';
import type { FastifyInstance } from 'fastify';
import { ApiError } from '@nightshift/shared/errors';
import { MAX_JSON_DEPTH, scanJson, type Span } from '@nightshift/shared/json';

/** The text of a JSON body and where its outermost values stand in it. */
export interface JsonText {
  text: string;
  spans: ReadonlyMap<string, Span>;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Null when there was no body. */
    jsonText: JsonText | null;
  }
}

/** JSON is the only thing taken. An empty body with that type is no body: the Python SDK sends it on bare calls. */
export function registerJsonBody(app: FastifyInstance): void {
  app.decorateRequest('jsonText', null);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser<Buffer>(
    'application/json',
    { parseAs: 'buffer' },
    (request, bytes, done) => {
      if (bytes.length === 0) {
        done(null, undefined);
        return;
      }
      try {
        checkEncoding(request.headers['content-encoding']);
        const { value, jsonText } = parseJsonBody(bytes);
        request.jsonText = jsonText;
        done(null, value);
      } catch (error) {
        done(error as Error, undefined);
      }
    },
  );
}

function checkEncoding(encoding: string | undefined): void {
  if (encoding === undefined || encoding.toLowerCase() === 'identity') return;
  throw new ApiError('unsupported_media_type', 'A request body must be sent uncompressed.', {
    param: 'Content-Encoding',
  });
}

/** @throws ApiError 400 that names the place. */
export function parseJsonBody(bytes: Buffer): { value: unknown; jsonText: JsonText } {
  if (!isUtf8(bytes)) throw new ApiError('invalid_json', 'The request body is not valid UTF-8.');
  const text = bytes.toString('utf8');
  // Looked through before it is built: a deep body or a prototype key must not exist as an object even for a moment.
  const scan = scanJson(text);
  if (scan.kind === 'too_deep') {
    throw new ApiError(
      'json_too_deep',
      `The request body is nested more than ${MAX_JSON_DEPTH} levels deep.`,
      { param: firstKeys(scan.path) },
    );
  }
  if (scan.kind === 'forbidden_key') {
    throw new ApiError('forbidden_key', `The key '${scan.path}' is not allowed.`, {
      param: scan.path,
    });
  }
  try {
    return { value: JSON.parse(text) as unknown, jsonText: { text, spans: scan.spans } };
  } catch (error) {
    throw new ApiError(
      'invalid_json',
      `The request body is not valid JSON${place(error as Error)}.`,
      { cause: error },
    );
  }
}

/** Where a parse failed; the rest of V8's message repeats the body, which belongs into no answer and no log. */
function place(error: Error): string {
  const [, position] = /at position (\d+)/.exec(error.message) ?? [];
  return position === undefined ? '' : ` (at position ${position})`;
}

/** A path of a hundred levels names the field by its beginning. */
function firstKeys(path: string): string | null {
  return (path.length > 64 ? `${path.slice(0, 64)}…` : path) || null;
}
