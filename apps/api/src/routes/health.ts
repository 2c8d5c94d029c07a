import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Context } from '../context.ts';
import { redisUnavailable } from '../plugins/error-answers.ts';
import { answer, errorAnswers, sendJson } from './answers.ts';

const healthSchema = z.object({ status: z.literal('ok') }).meta({ id: 'Health' });
const OK = JSON.stringify({ status: 'ok' });

export function registerHealth(app: FastifyInstance, { redis, isFit }: Context): void {
  const live = {
    operationId: 'livez',
    tags: ['operation'],
    summary: 'Is the process alive',
    security: [],
    response: { 200: answer('It is', healthSchema), ...errorAnswers() },
  };
  app.get('/livez', { schema: live }, async (_request, reply) => sendJson(reply, 200, OK));

  const ready = {
    operationId: 'readyz',
    tags: ['operation'],
    summary: 'Can it serve: does Redis answer',
    security: [],
    response: { 200: answer('It can', healthSchema), ...errorAnswers('redis_unavailable') },
  };
  app.get('/readyz', { schema: ready }, async (_request, reply) => {
    if (!isFit()) throw redisUnavailable();
    await redis.ping();
    return sendJson(reply, 200, OK);
  });
}
