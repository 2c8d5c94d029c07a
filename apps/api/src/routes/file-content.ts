import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { BlobNotFoundError, readSegments, type BlobStore } from '@nightshift/blobs';
import type { StoredFile } from '@nightshift/shared/batch';
import { ApiError } from '@nightshift/shared/errors';
import { parseRange } from '../content/byte-range.ts';
import { attachment } from '../content/content-disposition.ts';
import { sendBytes } from '../content/send-bytes.ts';
import type { Context } from '../context.ts';
import { answer, errorAnswers, onRedis, onStorage } from './answers.ts';
import { fileParamsSchema, findFile } from './file-parameters.ts';

const bytes = z.string().meta({ format: 'binary' });
const TYPE = 'application/octet-stream';

const schema = {
  operationId: 'getFileContent',
  tags: ['files'],
  summary: 'Download a file',
  params: fileParamsSchema,
  headers: z.object({
    range: z.string().optional().describe('`bytes=FIRST-LAST`, one range'),
    'if-range': z.string().optional().describe('the `ETag` that the range is of'),
  }),
  response: {
    200: answer('The bytes', bytes, TYPE),
    206: answer('The bytes of the range', bytes, TYPE),
    ...errorAnswers(...onRedis, ...onStorage, 'not_found', 'range_not_satisfiable'),
  },
};

export function registerFileContent(app: FastifyInstance, context: Context): void {
  app.get('/v1/files/:id/content', { schema }, async (request, reply) => {
    const file = await findFile(context, request.tenant, request.params);
    const range = rangeOf(request, file);
    if (range.kind === 'unsatisfiable') throw beyondEnd(file);
    const { start, end } = range.kind === 'range' ? range : { start: 0, end: file.bytes };
    reply.headers({
      'content-type': TYPE,
      'content-length': String(end - start),
      'content-disposition': attachment(file.filename),
      'accept-ranges': 'bytes',
      // A file never changes.
      etag: etagOf(file),
      'x-content-type-options': 'nosniff',
    });
    if (range.kind === 'range') {
      reply.code(206).header('content-range', `bytes ${start}-${end - 1}/${file.bytes}`);
    }
    if (request.method === 'HEAD') return reply.send(Readable.from([]));
    try {
      return await sendBytes(reply, readFile(context.blobs, file, { start, end }));
    } catch (error) {
      // Deleted since its record was read; if the record stands, the bytes are lost and that is ours.
      if (error instanceof BlobNotFoundError) {
        await findFile(context, request.tenant, request.params);
      }
      throw error;
    }
  });
}

function readFile(
  blobs: BlobStore,
  { content }: StoredFile,
  range: { start: number; end: number },
): AsyncGenerator<Uint8Array, void, undefined> {
  return content.kind === 'blob'
    ? blobs.read(content.name, range)
    : readSegments(blobs, content.segments, range);
}

function rangeOf({ headers }: FastifyRequest, file: StoredFile) {
  const { range, 'if-range': ifRange } = headers;
  const isOfThis = ifRange === undefined || ifRange === etagOf(file);
  return parseRange(isOfThis ? range : undefined, file.bytes);
}

function etagOf({ id }: StoredFile): string {
  return `"${id}"`;
}

function beyondEnd({ bytes: size }: StoredFile): ApiError {
  return new ApiError('range_not_satisfiable', `The file has ${size} bytes.`, {
    param: 'Range',
    headers: { 'content-range': `bytes */${size}` },
  });
}
