import type { FastifyInstance } from 'fastify';
import { ApiError } from '@nightshift/shared/errors';
import {
  deletedFileSchema,
  fileListSchema,
  fileSchema,
  listFilesQuerySchema,
  presentFile,
  type ListFilesQuery,
} from '@nightshift/shared/http';
import { blobsOf } from '@nightshift/shared/redis';
import type { Context } from '../context.ts';
import { noBodySchema } from '../plugins/validation.ts';
import { discard } from '../upload/spool.ts';
import { answer, errorAnswers, listToJson, onBody, onRedis, sendJson } from './answers.ts';
import { fileIdOf, fileParamsSchema, findFile, noSuchFile } from './file-parameters.ts';

const getSchema = {
  operationId: 'getFile',
  tags: ['files'],
  summary: 'Read about a file',
  params: fileParamsSchema,
  response: { 200: answer('The file', fileSchema), ...errorAnswers(...onRedis, 'not_found') },
};

const listSchema = {
  operationId: 'listFiles',
  tags: ['files'],
  summary: 'List files',
  description: 'Newest first unless told otherwise. Pages go on with `after` set to `last_id`.',
  querystring: listFilesQuerySchema,
  response: {
    200: answer('A page of files', fileListSchema),
    ...errorAnswers(
      ...onRedis,
      'invalid_type',
      'invalid_value',
      'unknown_parameter',
      'integer_above_max_value',
      'integer_below_min_value',
      'string_above_max_length',
    ),
  },
};

const deleteSchema = {
  operationId: 'deleteFile',
  tags: ['files'],
  summary: 'Delete a file',
  description: 'Not while a batch that is not settled reads it.',
  params: fileParamsSchema,
  body: noBodySchema,
  response: {
    200: answer('It is gone', deletedFileSchema),
    ...errorAnswers(...onBody, ...onRedis, 'not_found', 'file_in_use'),
  },
};

export function registerReadFiles(app: FastifyInstance, context: Context): void {
  const { files } = context;

  app.get('/v1/files/:id', { schema: getSchema }, async (request, reply) => {
    const file = await findFile(context, request.tenant, request.params);
    return sendJson(reply, 200, JSON.stringify(presentFile(file)));
  });

  app.get('/v1/files', { schema: listSchema }, async (request, reply) => {
    const { limit, order, purpose = null, after = null } = request.query as ListFilesQuery;
    const page = await files.list(request.tenant, { limit, order, purpose, after });
    if (page === null) {
      throw new ApiError(
        'invalid_value',
        "Invalid 'after': must be the id of a file that this list holds.",
        { param: 'after' },
      );
    }
    const items = page.files.map((file) => JSON.stringify(presentFile(file)));
    const ids = page.files.map(({ id }) => id);
    return sendJson(reply, 200, listToJson(items, ids, page.hasMore));
  });

  app.delete('/v1/files/:id', { schema: deleteSchema }, async (request, reply) => {
    const id = fileIdOf(request.params);
    const result = await files.remove(request.tenant, id);
    if (result.kind === 'missing') throw noSuchFile(id);
    if (result.kind === 'in_use') throw inUse(id);
    await discard(context, request.tenant, blobsOf(result.content));
    return sendJson(reply, 200, JSON.stringify({ id, object: 'file', deleted: true }));
  });
}

function inUse(id: string): ApiError {
  return new ApiError(
    'file_in_use',
    `Cannot delete file '${id}' while a batch reads it; wait for the batch to end, or cancel it.`,
    { param: 'id', headers: { 'x-should-retry': 'false' } },
  );
}
