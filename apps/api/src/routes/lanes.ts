import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { ApiError } from '@nightshift/shared/errors';
import { laneListSchema, laneSchema } from '@nightshift/shared/http';
import { laneIdPattern, type Lane } from '@nightshift/shared/lane';
import type { Context } from '../context.ts';
import { allLanes, presentLane } from '../present-lane.ts';
import { noBodySchema } from '../plugins/validation.ts';
import { answer, errorAnswers, listToJson, onBody, onRedis, sendJson } from './answers.ts';

const laneParamsSchema = z.object({ id: z.string().describe('lane_ and 16 hex digits') });

const listSchema = {
  operationId: 'listLanes',
  tags: ['lanes'],
  summary: 'List lanes',
  description: 'A lane is a provider, a model and a credential: one set of limits, its queues.',
  response: { 200: answer('All lanes', laneListSchema), ...errorAnswers(...onRedis) },
};

const changeSchema = (verb: 'pause' | 'resume', description: string) => ({
  operationId: `${verb}Lane`,
  tags: ['lanes'],
  summary: verb === 'pause' ? 'Pause a lane' : 'Resume a lane',
  description,
  params: laneParamsSchema,
  body: noBodySchema,
  response: {
    200: answer('The lane', laneSchema),
    ...errorAnswers(...onBody, ...onRedis, 'not_found'),
  },
});

export function registerLanes(app: FastifyInstance, context: Context): void {
  const { lanes, laneStates } = context;

  app.get('/v1/lanes', { schema: listSchema }, async (_request, reply) => {
    const views = await allLanes(context);
    const items = views.map((view) => JSON.stringify(view));
    const ids = views.map(({ id }) => id);
    return sendJson(reply, 200, listToJson(items, ids, false));
  });

  const pause = changeSchema('pause', 'No new call starts until it is resumed; jobs stay queued.');
  app.post('/v1/lanes/:id/pause', { schema: pause }, async (request, reply) => {
    const lane = await findLane(context, request.params);
    await lanes.pauseForOperator(lane.id);
    laneStates.forget(lane.id);
    return sendJson(reply, 200, JSON.stringify(await presentLane(context, lane)));
  });

  const resume = changeSchema(
    'resume',
    "Lifts an operator's pause and one that the provider caused.",
  );
  app.post('/v1/lanes/:id/resume', { schema: resume }, async (request, reply) => {
    const lane = await findLane(context, request.params);
    await lanes.resumeForOperator(lane.id);
    laneStates.forget(lane.id);
    return sendJson(reply, 200, JSON.stringify(await presentLane(context, lane)));
  });
}

async function findLane({ lanes }: Context, params: unknown): Promise<Lane> {
  const { id } = params as { id: string };
  const lane = laneIdPattern.test(id) ? await lanes.find(id) : null;
  if (lane !== null) return lane;
  const shown = id.length > 64 ? `${id.slice(0, 64)}…` : id;
  throw new ApiError('not_found', `No lane has the id '${shown}'.`, { param: 'id' });
}
