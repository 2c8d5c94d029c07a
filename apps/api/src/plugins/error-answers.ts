import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { BlobStoreFullError, BlobStoreUnavailableError } from '@nightshift/blobs';
import { ApiError } from '@nightshift/shared/errors';
import { isRedisAway, isRedisFull } from '@nightshift/shared/redis';
import type { Logger } from '@nightshift/shared/telemetry';
import { newRequestId } from '../request-id.ts';
import { allowedMethods } from './allowed-methods.ts';

export const JSON_TYPE = 'application/json; charset=utf-8';

/** How much of a body that was refused is still read, so that its sender gets to see the answer. */
const MOST_DRAINED_BYTES = 64_000_000;

export function redisUnavailable(cause?: unknown): ApiError {
  // Spread out, so that all who were turned away do not come back in the same second.
  const retryAfterS = 1 + Math.floor(Math.random() * 5);
  return new ApiError('redis_unavailable', 'Redis does not answer at the moment; try again.', {
    headers: { 'retry-after': String(retryAfterS) },
    cause,
  });
}

export function redisFull(cause?: unknown): ApiError {
  return new ApiError('redis_full', 'Redis is nearly full: new jobs are refused until it drains.', {
    headers: { 'retry-after': '10' },
    cause,
  });
}

function storageFull(cause: unknown): ApiError {
  return new ApiError('storage_full', 'The storage of files has no room left.', {
    headers: { 'retry-after': '10' },
    cause,
  });
}

function storageUnavailable(cause: unknown): ApiError {
  return new ApiError(
    'storage_unavailable',
    'The storage of files does not answer at the moment; try again.',
    { headers: { 'retry-after': '2' }, cause },
  );
}

/** Whatever was thrown as the answer that it leads to; a thing that we do not know is our own defect. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (isRedisFull(error)) return redisFull(error);
  if (isRedisAway(error)) return redisUnavailable(error);
  if (error instanceof BlobStoreFullError) return storageFull(error);
  if (error instanceof BlobStoreUnavailableError) return storageUnavailable(error);
  const { code, statusCode } = error as { code?: string; statusCode?: number };
  switch (code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new ApiError('body_too_large', 'The request body is too large.', { param: 'body' });
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
    case 'FST_ERR_CTP_EMPTY_TYPE':
      return new ApiError(
        'unsupported_media_type',
        'A request body must be sent with Content-Type: application/json.',
        { param: 'Content-Type' },
      );
    case 'FST_ERR_BAD_URL':
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return new ApiError('invalid_url', 'The path of the request cannot be decoded.');
    default:
      if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
        return new ApiError('bad_request', 'The request is not well-formed.', { cause: error });
      }
      return new ApiError(
        'internal_error',
        'Something went wrong on our side; the log has it under this request id.',
        { cause: error },
      );
  }
}

export function sendError(
  error: ApiError,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  // Fastify closes the connection after a body that it could not parse, which has been read to its end by then.
  if (reply.hasHeader('connection')) reply.removeHeader('connection');
  if (error.code === 'body_too_large') readOn(request, reply);
  return reply
    .code(error.status)
    .headers(error.headers)
    .header('x-request-id', request.id)
    .header('content-type', JSON_TYPE)
    .send(JSON.stringify(error.toEnvelope()));
}

/** A connection closed under a client that is still sending is reset, and the client never reads why. */
function readOn({ raw }: FastifyRequest, reply: FastifyReply): void {
  let left = MOST_DRAINED_BYTES;
  if (Number(raw.headers['content-length'] ?? 0) > left) {
    reply.header('connection', 'close');
    return;
  }
  raw.on('data', (chunk: Buffer) => {
    left -= chunk.length;
    if (left < 0) raw.destroy();
  });
}

export function registerErrorAnswers(app: FastifyInstance, logger: Logger): void {
  const allowed = allowedMethods(app);
  app.setErrorHandler((error, request, reply) => {
    const answer = toApiError(error);
    if (answer.code === 'internal_error') {
      logger.error(
        { requestId: request.id, route: request.routeOptions.url, err: error },
        'request.failed',
      );
    }
    return sendError(answer, request, reply);
  });
  app.setNotFoundHandler((request, reply) =>
    sendError(unknownUrl(request, allowed), request, reply),
  );
  // Before the body is read: what was sent to a place that does not exist is of no interest.
  app.addHook('onRequest', (request, _reply, done) => {
    done(request.is404 ? unknownUrl(request, allowed) : undefined);
  });
}

function unknownUrl(request: FastifyRequest, allowed: (path: string) => string[]): ApiError {
  const [path = ''] = request.url.split('?', 1);
  const methods = allowed(path);
  const shown = path.length > 200 ? `${path.slice(0, 200)}…` : path;
  if (methods.length === 0) {
    return new ApiError('unknown_url', `Unknown request URL: ${request.method} ${shown}.`);
  }
  return new ApiError(
    'method_not_allowed',
    `Method ${request.method} is not allowed on ${shown}; allowed: ${methods.join(', ')}.`,
    { headers: { allow: methods.join(', ') } },
  );
}

/** What is not HTTP, too large in its headers, or too slow never becomes a request; it gets the envelope all the same. */
export function answerBrokenSocket(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const answer = brokenSocketError(error.code);
  const body = JSON.stringify(answer.toEnvelope());
  socket.end(
    [
      `HTTP/1.1 ${answer.status} ${STATUS_CODES[answer.status] ?? ''}`,
      `content-type: ${JSON_TYPE}`,
      `content-length: ${Buffer.byteLength(body)}`,
      `x-request-id: ${newRequestId()}`,
      'connection: close',
      '',
      body,
    ].join('\r\n'),
  );
}

function brokenSocketError(code: string | undefined): ApiError {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return new ApiError('headers_too_large', 'The request headers are larger than 16 KiB.');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new ApiError('request_timeout', 'The request did not arrive completely in time.');
    default:
      return new ApiError('bad_request', 'The request is not well-formed HTTP.');
  }
}
