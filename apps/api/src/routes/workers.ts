import type { FastifyInstance } from 'fastify';
import { presentWorker, workerListSchema } from '@nightshift/shared/http';
import type { Context } from '../context.ts';
import { answer, errorAnswers, listToJson, onRedis, sendJson } from './answers.ts';

const schema = {
  operationId: 'listWorkers',
  tags: ['workers'],
  summary: 'List worker processes',
  description:
    'Every worker sends a heartbeat every 5 s. After 12 s without one it is `silent`, and after ten minutes it leaves the list. A worker that stops cleanly leaves it at once.',
  response: { 200: answer('All workers', workerListSchema), ...errorAnswers(...onRedis) },
};

export function registerWorkers(app: FastifyInstance, { workers }: Context): void {
  app.get('/v1/workers', { schema }, async (_request, reply) => {
    const views = (await workers.all()).workers.map(presentWorker);
    return sendJson(
      reply,
      200,
      listToJson(
        views.map((view) => JSON.stringify(view)),
        views.map(({ id }) => id),
        false,
      ),
    );
  });
}
