import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { isBatchSettled, type Batch } from '@nightshift/shared/batch';
import { ApiError } from '@nightshift/shared/errors';
import { batchResultsQuerySchema, type BatchResultsQuery } from '@nightshift/shared/http';
import type { BatchContext } from '../batches/batch-context.ts';
import { pageByCompletion } from '../batches/completion-order.ts';
import { begun, orGone } from '../batches/gone.ts';
import { pageByInput } from '../batches/input-order.ts';
import { parseInputCursor } from '../batches/result-cursor.ts';
import type { ResultPage } from '../batches/result-page.ts';
import { answer, errorAnswers, onRedis, onStorage } from './answers.ts';
import { batchParamsSchema, findBatch } from './batch-parameters.ts';

const schema = {
  operationId: 'listBatchResults',
  tags: ['batches'],
  summary: 'Read results, also while the batch runs',
  description:
    'The lines of both result files as they stand now, one JSON object a line. `x-next-after` is the `after` of the next call, which gets what has come since; `x-has-more` is `false` when nothing can come any more. A body that ends before its Content-Length is read again with the same `after`. With `order=input` the lines come in the order of the input, up to the first request that has no result yet.',
  params: batchParamsSchema,
  querystring: batchResultsQuerySchema,
  response: {
    200: answer('Lines as in the output and error files', z.string(), 'application/x-ndjson'),
    ...errorAnswers(
      ...onRedis,
      ...onStorage,
      'not_found',
      'invalid_value',
      'unknown_parameter',
      'string_above_max_length',
      'integer_above_max_value',
      'integer_below_min_value',
    ),
  },
};

export function registerBatchResults(app: FastifyInstance, context: BatchContext): void {
  app.get('/v1/batches/:id/results', { schema }, async (request, reply) => {
    const query = request.query as BatchResultsQuery;
    const batch = await findBatch(context, request.tenant, request.params);
    const read = { files: context.files, batch };
    const page = await orGone(pageOf(context, batch, query), read);
    reply.headers({
      'content-type': 'application/x-ndjson; charset=utf-8',
      'content-length': page.bytes,
      'cache-control': 'no-cache',
      'x-next-after': page.nextAfter,
      'x-has-more': String(page.hasMore || !isBatchSettled(batch.status)),
      'x-batch-status': batch.status,
    });
    if (request.method === 'HEAD' || page.bytes === 0) return reply.send('');
    return reply.send(Readable.from(await begun(page.source, read), { objectMode: false }));
  });
}

async function pageOf(
  { blobs, files }: BatchContext,
  batch: Batch,
  { order, after, limit }: BatchResultsQuery,
): Promise<ResultPage> {
  if (order === 'completion') return await pageByCompletion(blobs, batch, after, limit);
  if (batch.output.length + batch.failures.length === 0) return nothingYet(after);
  const input = await files.get(batch.tenant, batch.inputFileId);
  if (input !== null) return await pageByInput(blobs, batch, input.content, after, limit);
  throw new ApiError(
    'not_found',
    'The input file of this batch was deleted, and its order with it; use order=completion.',
    { param: 'order' },
  );
}

/** The input has perhaps not been checked, so it is not read. */
function nothingYet(after: string | undefined): ResultPage {
  parseInputCursor(after);
  return {
    source: (async function* () {})(),
    bytes: 0,
    nextAfter: after ?? 'i:0',
    hasMore: false,
  };
}
