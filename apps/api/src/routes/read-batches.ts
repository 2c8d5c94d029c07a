import type { FastifyInstance } from 'fastify';
import { ApiError } from '@nightshift/shared/errors';
import { batchListSchema, batchSchema, listBatchesQuerySchema } from '@nightshift/shared/http';
import type { BatchContext } from '../batches/batch-context.ts';
import { showBatch } from '../batches/explain-batch.ts';
import { answer, errorAnswers, listToJson, onRedis, sendJson } from './answers.ts';
import { batchParamsSchema, findBatch } from './batch-parameters.ts';

const getSchema = {
  operationId: 'getBatch',
  tags: ['batches'],
  summary: 'Read a batch',
  params: batchParamsSchema,
  response: { 200: answer('The batch', batchSchema), ...errorAnswers(...onRedis, 'not_found') },
};

const listSchema = {
  operationId: 'listBatches',
  tags: ['batches'],
  summary: 'List batches, newest first',
  description: 'Pages go on with `after` set to the `last_id` of the page before.',
  querystring: listBatchesQuerySchema,
  response: {
    200: answer('A page of batches', batchListSchema),
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

export function registerReadBatches(app: FastifyInstance, context: BatchContext): void {
  app.get('/v1/batches/:id', { schema: getSchema }, async (request, reply) => {
    const batch = await findBatch(context, request.tenant, request.params);
    return sendJson(reply, 200, JSON.stringify(await showBatch(context, batch)));
  });

  app.get('/v1/batches', { schema: listSchema }, async (request, reply) => {
    const { limit, after = null } = request.query as { limit: number; after?: string };
    const page = await context.batches.list(request.tenant, { limit, after });
    if (page === null) {
      throw new ApiError(
        'invalid_value',
        "Invalid 'after': must be the id of a batch that this list holds.",
        { param: 'after' },
      );
    }
    const items = await Promise.all(
      page.batches.map(async (batch) => JSON.stringify(await showBatch(context, batch))),
    );
    const ids = page.batches.map(({ id }) => id);
    return sendJson(reply, 200, listToJson(items, ids, page.hasMore));
  });
}
