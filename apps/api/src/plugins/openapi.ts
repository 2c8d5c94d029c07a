import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { answer, errorAnswers, sendJson } from '../routes/answers.ts';
import { tidyDocument } from './openapi-tidy.ts';

const info = {
  title: 'Nightshift',
  version: '0.1.0',
  description:
    'A self-hosted, durable job queue for LLM work. Errors have the shape that OpenAI uses.',
  license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
};

const tags = [
  { name: 'jobs', description: 'Single model requests that are settled in time.' },
  { name: 'files', description: 'What batches read and write, and uploads in parts.' },
  { name: 'models', description: 'What can be asked for.' },
  { name: 'batches', description: 'Requests in bulk: OpenAI’s calls, and what Nightshift adds.' },
  { name: 'lanes', description: 'What paces the calls of one provider, model and credential.' },
  { name: 'workers', description: 'The processes that make the calls.' },
  { name: 'operation', description: 'Health, metrics and documentation.' },
];

/** Gathers the routes that are added after it. */
export async function registerOpenApi(app: FastifyInstance): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info,
      tags,
      servers: [{ url: '/' }],
      security: [{ bearer: [] }],
      components: {
        securitySchemes: {
          bearer: {
            type: 'http',
            scheme: 'bearer',
            description: 'Needed when NIGHTSHIFT_API_KEYS is set.',
          },
        },
      },
    },
    transform: (route) => {
      const { schema, url } = jsonSchemaTransform(route);
      // The rest of a path is a parameter too; OpenAPI has no sign for one with slashes in it.
      return { schema, url: url.replace('/models/*', '/models/:model') };
    },
    transformObject: (document) => tidyDocument(jsonSchemaTransformObject(document)),
  });
}

/** The document and its reader, which loads nothing from elsewhere. */
export async function registerDocs(app: FastifyInstance): Promise<void> {
  const schema = {
    operationId: 'openapi',
    tags: ['operation'],
    summary: 'This document',
    security: [],
    response: {
      200: answer('OpenAPI 3.1', z.record(z.string(), z.unknown())),
      ...errorAnswers(),
    },
  };
  let text: string | undefined;
  app.get('/openapi.json', { schema }, async (_request, reply) => {
    text ??= JSON.stringify(app.swagger());
    return sendJson(reply, 200, text);
  });
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP:
      "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'",
    uiConfig: { tryItOutEnabled: true, persistAuthorization: false },
  });
}
