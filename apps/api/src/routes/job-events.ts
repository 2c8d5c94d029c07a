import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { ApiError, describeValue } from '@nightshift/shared/errors';
import type { Context } from '../context.ts';
import { streamEvents } from '../event-stream.ts';
import { answer, errorAnswers, onRedis } from './answers.ts';
import { jobIdOf, jobParamsSchema, noSuchJob } from './job-parameters.ts';

const sequence = z.string().regex(/^\d{1,15}$/, 'must be the sequence of an event');

const schema = {
  operationId: 'streamJobEvents',
  tags: ['jobs'],
  summary: "Follow a job's events",
  description:
    'Server-sent events: `id` is a sequence, `event` the type, `data` a JSON object. The terminal event carries the whole job and ends the stream.',
  params: jobParamsSchema,
  querystring: z.strictObject({
    after: sequence.optional().describe('the same as Last-Event-ID, which wins if both are given'),
  }),
  headers: z.object({
    'last-event-id': sequence.optional().describe('only events after this sequence'),
  }),
  response: {
    200: answer('The events as they happen', z.string(), 'text/event-stream'),
    204: z.null().describe('The terminal event was seen already: do not reconnect'),
    ...errorAnswers(...onRedis, 'not_found', 'invalid_value', 'unknown_parameter'),
  },
};

export function registerJobEvents(app: FastifyInstance, context: Context): void {
  app.get('/v1/jobs/:id/events', { schema }, async (request, reply) => {
    const id = jobIdOf(request.params);
    const { tenant } = request;
    const afterSeq = cursorOf(request);
    const { raw: response } = reply;
    const headers = {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache',
      'x-accel-buffering': 'no',
      'x-request-id': request.id,
    };
    if (request.method === 'HEAD') {
      if ((await context.jobs.get(tenant, id)) === null) throw noSuchJob(id);
      return reply.headers(headers).send();
    }
    const start = (): void => {
      reply.hijack();
      response.writeHead(200, headers);
      response.write('retry: 1000\n\n');
    };
    try {
      const end = await streamEvents(context, { tenant, id, afterSeq, response, start });
      if (end === 'missing') throw noSuchJob(id);
      // An EventSource reconnects after every end of a stream, unless it is told that there is nothing left.
      if (end === 'over') return await reply.code(204).send();
    } catch (error) {
      if (!reply.sent) throw error;
      context.logger.error(
        { requestId: request.id, jobId: id, err: error as Error },
        'stream.failed',
      );
    }
    return reply;
  });
}

function cursorOf(request: FastifyRequest): number {
  const given = request.headers['last-event-id'];
  // Browsers send it empty when no event has had an id yet.
  if (given === undefined || given === '') {
    return Number((request.query as { after?: string }).after ?? 0);
  }
  if (typeof given === 'string' && sequence.safeParse(given).success) return Number(given);
  throw new ApiError(
    'invalid_value',
    `Invalid 'Last-Event-ID': must be the sequence of an event, got ${describeValue(given)}.`,
    { param: 'Last-Event-ID' },
  );
}
