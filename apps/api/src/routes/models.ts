import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { routeModel } from '@nightshift/shared/config';
import { ApiError } from '@nightshift/shared/errors';
import { modelListSchema, modelSchema, type ModelView } from '@nightshift/shared/http';
import type { Context } from '../context.ts';
import { answer, errorAnswers, onRedis, sendJson } from './answers.ts';

const listSchema = {
  operationId: 'listModels',
  tags: ['models'],
  summary: 'List models',
  description:
    'Those that the configuration routes by their full names, and those that jobs have been handed in for. A provider is not asked.',
  response: { 200: answer('The models', modelListSchema), ...errorAnswers(...onRedis) },
};

const getSchema = {
  operationId: 'getModel',
  tags: ['models'],
  summary: 'Is there a provider for a model',
  description: 'Any model that a route matches; whether the provider has it, its answers tell.',
  params: z.object({ model: z.string().describe('may hold slashes') }),
  response: { 200: answer('There is', modelSchema), ...errorAnswers('model_not_found') },
};

export function registerModels(app: FastifyInstance, { configuration, lanes }: Context): void {
  const present = (id: string): ModelView | null => {
    const provider = routeModel(configuration, id);
    return provider === undefined
      ? null
      : { id, object: 'model', created: 0, owned_by: provider.name };
  };

  app.get('/v1/models', { schema: listSchema }, async (_request, reply) => {
    const named = configuration.routes
      .map(({ match }) => match)
      .filter((match) => !match.endsWith('*'));
    const seen = (await lanes.all()).map(({ model }) => model);
    const data = [...new Set([...named, ...seen])]
      .toSorted()
      .map(present)
      .filter((model) => model !== null);
    return sendJson(reply, 200, JSON.stringify({ object: 'list', data }));
  });

  app.get('/v1/models/*', { schema: getSchema }, async (request, reply) => {
    const { '*': id } = request.params as { '*': string };
    const model = id === '' ? null : present(id);
    if (model === null) {
      const shown = id.length > 200 ? `${id.slice(0, 200)}…` : id;
      throw new ApiError('model_not_found', `No configured provider serves the model '${shown}'.`, {
        param: 'model',
      });
    }
    return sendJson(reply, 200, JSON.stringify(model));
  });
}
