import type { FastifyInstance } from 'fastify';
import { isBatchSettled, parseCompletionWindow, type Batch } from '@nightshift/shared/batch';
import { ApiError } from '@nightshift/shared/errors';
import { batchSchema, retryBatchSchema, type RetryBatch } from '@nightshift/shared/http';
import { acceptBatch, idempotencyOf } from '../batches/accept-batch.ts';
import type { BatchContext } from '../batches/batch-context.ts';
import { orGone } from '../batches/gone.ts';
import { chooseFailed, chosenLines } from '../batches/retry-input.ts';
import { answer, errorAnswers, onBody, onRedis, onStorage } from './answers.ts';
import { batchParamsSchema, findBatch } from './batch-parameters.ts';
import { idempotencyHeadersSchema, idempotencyKeyOf } from './job-parameters.ts';

const schema = {
  operationId: 'retryBatch',
  tags: ['batches'],
  summary: 'Do again what failed in a batch',
  description:
    'A new batch of the requests that are in the error file: all of them, or those that `filter` names by a code (as `GET …/errors` tells it, the type of the provider’s error or `http_STATUS`) and by custom ids. What succeeded is never done again.',
  params: batchParamsSchema,
  headers: idempotencyHeadersSchema,
  body: retryBatchSchema,
  response: {
    200: answer('The new batch; `retry_of` names the old one', batchSchema),
    ...errorAnswers(
      ...onBody,
      ...onRedis,
      ...onStorage,
      'invalid_value',
      'string_above_max_length',
      'integer_above_max_value',
      'integer_below_min_value',
      'not_found',
      'batch_not_retryable',
      'idempotency_key_reused',
      'redis_full',
    ),
  },
};

export function registerRetryBatch(app: FastifyInstance, context: BatchContext): void {
  const { blobs, configuration, files } = context;
  const bodyLimit = configuration.limits.batchInlineBytes;
  app.post('/v1/batches/:id/retry', { schema, bodyLimit }, async (request, reply) => {
    const { tenant } = request;
    const key = idempotencyKeyOf(request.headers['idempotency-key']);
    const batch = await findBatch(context, tenant, request.params);
    if (!isBatchSettled(batch.status)) {
      throw notRetryable(batch, `with status '${batch.status}'; wait until it has ended`);
    }
    const filter = (request.body as RetryBatch)?.filter ?? null;
    const called = { call: 'POST /v1/batches/ID/retry', id: batch.id, filter };
    const idempotency = idempotencyOf(key, called);
    return acceptBatch(context, reply, {
      batch: {
        tenant,
        endpoint: batch.endpoint,
        completionWindow: batch.completionWindow,
        // The same window again, counted from now.
        windowMs:
          parseCompletionWindow(batch.completionWindow) ?? batch.expiresAtMs - batch.createdAtMs,
        metadata: batch.metadata,
        outputExpiresAfterMs: batch.outputExpiresAfterMs,
        runAtMs: null,
        quietHours: batch.quietHours,
        retryOf: batch.id,
      },
      input: {
        kind: 'lines',
        filename: `retry-of-${batch.id}.jsonl`,
        source: async () => await inputOf(batch, filter),
      },
      idempotency,
    });
  });

  /** Checked before anything is written: a retry of nothing is refused, and so is one whose input is gone. */
  async function inputOf(batch: Batch, filter: NonNullable<RetryBatch>['filter']) {
    const chosen = await orGone(chooseFailed(blobs, batch, filter), { files, batch });
    if (chosen.count === 0) {
      if (filter === null) throw notRetryable(batch, 'in which no request failed');
      throw new ApiError('invalid_value', "Invalid 'filter': no failed request matches it.", {
        param: 'filter',
      });
    }
    const file = await files.get(batch.tenant, batch.inputFileId);
    if (file === null) throw notRetryable(batch, 'whose input file was deleted');
    return chosenLines(blobs, file.content, chosen);
  }
}

function notRetryable({ id }: Batch, why: string): ApiError {
  return new ApiError('batch_not_retryable', `Cannot retry batch '${id}' ${why}.`, {
    param: 'id',
    headers: { 'x-should-retry': 'false' },
  });
}
