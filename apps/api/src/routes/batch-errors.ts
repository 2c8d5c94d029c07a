import type { FastifyInstance } from 'fastify';
import { batchErrorsSchema } from '@nightshift/shared/http';
import type { BatchContext } from '../batches/batch-context.ts';
import { groupErrors } from '../batches/error-groups.ts';
import { orGone } from '../batches/gone.ts';
import { answer, errorAnswers, onRedis, onStorage, sendJson } from './answers.ts';
import { batchParamsSchema, findBatch } from './batch-parameters.ts';

const schema = {
  operationId: 'listBatchErrors',
  tags: ['batches'],
  summary: 'What went wrong in a batch, in groups',
  description:
    'Usable while it runs. For a batch whose input is wrong, the groups are of its bad lines.',
  params: batchParamsSchema,
  response: {
    200: answer('The groups, the most frequent first', batchErrorsSchema),
    ...errorAnswers(...onRedis, ...onStorage, 'not_found'),
  },
};

export function registerBatchErrors(app: FastifyInstance, context: BatchContext): void {
  app.get('/v1/batches/:id/errors', { schema }, async (request, reply) => {
    const batch = await findBatch(context, request.tenant, request.params);
    const groups = await orGone(groupErrors(context.blobs, batch), { files: context.files, batch });
    return sendJson(reply, 200, JSON.stringify(groups));
  });
}
