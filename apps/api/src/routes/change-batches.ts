import type { FastifyInstance } from 'fastify';
import type { Batch } from '@nightshift/shared/batch';
import { ApiError } from '@nightshift/shared/errors';
import { batchSchema } from '@nightshift/shared/http';
import type { BatchContext } from '../batches/batch-context.ts';
import { showBatch } from '../batches/explain-batch.ts';
import { noBodySchema } from '../plugins/validation.ts';
import { answer, errorAnswers, onBody, onRedis, sendJson } from './answers.ts';
import { batchIdOf, batchParamsSchema, noSuchBatch } from './batch-parameters.ts';

const schemaOf = (operationId: string, summary: string, description: string) => ({
  operationId,
  tags: ['batches'],
  summary,
  description,
  params: batchParamsSchema,
  body: noBodySchema,
  response: {
    200: answer('The batch', batchSchema),
    ...errorAnswers(...onBody, ...onRedis, 'not_found'),
  },
});

const cancel = schemaOf(
  'cancelBatch',
  'Cancel a batch',
  'No new call starts; those in flight have 30 s to come back and are kept. Can be repeated.',
);
const cancelSchema = {
  ...cancel,
  response: {
    200: answer('The batch, cancelling or cancelled', batchSchema),
    ...errorAnswers(...onBody, ...onRedis, 'not_found', 'batch_not_cancellable'),
  },
};
const pauseSchema = schemaOf(
  'pauseBatch',
  'Pause a batch',
  'No new call starts until it is resumed. Its completion window goes on. A settled batch is answered as it is.',
);
const resumeSchema = schemaOf('resumeBatch', 'Resume a batch', 'Goes on with a paused batch.');

export function registerChangeBatches(app: FastifyInstance, context: BatchContext): void {
  const { batches } = context;
  app.post('/v1/batches/:id/cancel', { schema: cancelSchema }, async (request, reply) => {
    const id = batchIdOf(request.params);
    const result = await batches.cancel(request.tenant, id);
    if (result.kind === 'missing') throw noSuchBatch(id);
    if (result.kind === 'settled') throw notCancellable(result.status);
    return sendJson(reply, 200, JSON.stringify(await showBatch(context, result.batch)));
  });

  const setPaused = async (tenant: string, params: unknown, paused: boolean): Promise<Batch> => {
    const id = batchIdOf(params);
    const batch = await batches.setPaused(tenant, id, paused);
    if (batch === null) throw noSuchBatch(id);
    return batch;
  };
  app.post('/v1/batches/:id/pause', { schema: pauseSchema }, async (request, reply) => {
    const batch = await setPaused(request.tenant, request.params, true);
    return sendJson(reply, 200, JSON.stringify(await showBatch(context, batch)));
  });
  app.post('/v1/batches/:id/resume', { schema: resumeSchema }, async (request, reply) => {
    const batch = await setPaused(request.tenant, request.params, false);
    return sendJson(reply, 200, JSON.stringify(await showBatch(context, batch)));
  });
}

function notCancellable(status: string): ApiError {
  return new ApiError('batch_not_cancellable', `Cannot cancel a batch with status '${status}'.`, {
    headers: { 'x-should-retry': 'false' },
  });
}
