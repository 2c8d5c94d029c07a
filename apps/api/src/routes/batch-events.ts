import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { isBatchSettled } from '@nightshift/shared/batch';
import type { BatchContext } from '../batches/batch-context.ts';
import { eventIdOf, streamBatch } from '../batches/batch-stream.ts';
import { explainBatch } from '../batches/explain-batch.ts';
import { createBatchWatch } from '../batches/batch-watch.ts';
import { answer, errorAnswers, onRedis } from './answers.ts';
import { batchParamsSchema, findBatch } from './batch-parameters.ts';

const schema = {
  operationId: 'streamBatchEvents',
  tags: ['batches'],
  summary: "Follow a batch's progress",
  description:
    'Server-sent events, at most one a second: `batch.STATUS` when the status changes, `batch.progressed` when the counts or the reason to wait change; `data` holds the whole batch. Ends after the batch is settled. Who reconnects gets what the batch is by then.',
  params: batchParamsSchema,
  headers: z.object({
    'last-event-id': z.string().optional().describe('the event that was seen last'),
  }),
  response: {
    200: answer('The events as they happen', z.string(), 'text/event-stream'),
    204: z.null().describe('The terminal event was seen already: do not reconnect'),
    ...errorAnswers(...onRedis, 'not_found'),
  },
};

export function registerBatchEvents(app: FastifyInstance, context: BatchContext): void {
  const { batches, logger, heartbeatMs } = context;
  const watch = createBatchWatch({
    batches,
    explain: async (batch) => explainBatch(context, batch),
    logger,
  });
  app.addHook('preClose', (done) => {
    watch.finishAll();
    done();
  });

  app.get('/v1/batches/:id/events', { schema }, async (request, reply) => {
    const batch = await findBatch(context, request.tenant, request.params);
    const after = String(request.headers['last-event-id'] ?? '');
    const { raw: response } = reply;
    const headers = {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache',
      'x-accel-buffering': 'no',
      'x-request-id': request.id,
    };
    if (request.method === 'HEAD') return reply.headers(headers).send();
    // An EventSource reconnects after every end of a stream, unless it is told that there is nothing left.
    if (isBatchSettled(batch.status) && after === eventIdOf(batch, null)) {
      return await reply.code(204).send();
    }
    const first = { batch, waitingFor: await explainBatch(context, batch) };
    reply.hijack();
    response.writeHead(200, headers);
    response.write('retry: 1000\n\n');
    await streamBatch({ watch, first, after, heartbeatMs, response });
    return reply;
  });
}
