import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { ApiError } from '@nightshift/shared/errors';
import {
  checkJobRequest,
  jobRequestSchema,
  jobSchema,
  type JobRequest,
} from '@nightshift/shared/http';
import type { NewJob } from '@nightshift/shared/job';
import { acceptJob } from '../accept-job.ts';
import type { Context } from '../context.ts';
import { preferredWait } from '../prefer.ts';
import { answer, errorAnswers, onBody, onRedis } from './answers.ts';
import { idempotencyHeadersSchema, idempotencyKeyOf } from './job-parameters.ts';

const schema = {
  operationId: 'createJob',
  tags: ['jobs'],
  summary: 'Accept a job',
  description:
    'Once this answers, the job is on disk and will be settled. `body` reaches the provider byte for byte.',
  headers: idempotencyHeadersSchema.extend({
    prefer: z
      .string()
      .optional()
      .describe(
        '`wait=N`: answer with the settled job if it settles within N seconds (at most 60)',
      ),
  }),
  body: jobRequestSchema,
  response: {
    200: answer('Settled within the preferred wait', jobSchema),
    202: answer('Accepted; `Location` names the job, `Retry-After` when to ask for it', jobSchema),
    ...errorAnswers(
      ...onBody,
      ...onRedis,
      'missing_required_parameter',
      'unsupported_parameter',
      'invalid_value',
      'integer_above_max_value',
      'integer_below_min_value',
      'string_above_max_length',
      'object_above_max_properties',
      'model_not_found',
      'idempotency_key_reused',
      'too_many_lanes',
      'redis_full',
    ),
  },
};

export function registerCreateJob(app: FastifyInstance, context: Context): void {
  const { configuration, clock } = context;
  app.post('/v1/jobs', { schema }, async (request, reply) => {
    const given = request.body as JobRequest;
    const key = idempotencyKeyOf(request.headers['idempotency-key']);
    checkJobRequest(given, clock.now());
    const job: Omit<NewJob, 'laneId' | 'tokens'> = {
      tenant: request.tenant,
      endpoint: given.endpoint,
      model: modelOf(given),
      body: bodyText(request, configuration.limits.jobBodyBytes),
      priority: given.priority,
      metadata: given.metadata ?? {},
      maxAttempts: given.max_attempts ?? configuration.retry.maxAttempts,
      runAtMs: toMs(given.run_at),
      expiresAfterMs: toMs(given.expires_after),
      retryOf: null,
    };
    return acceptJob(context, reply, {
      job,
      parsed: () => given.body,
      idempotency: key === null ? null : { key, content: { call: 'POST /v1/jobs', given } },
      waitS: preferredWait(header(request, 'prefer')),
    });
  });
}

/** The request as its caller wrote it: written anew, its numbers could lose digits and its keys their order. */
function bodyText({ jsonText }: FastifyRequest, mostBytes: number): string {
  const span = jsonText?.spans.get('body');
  if (jsonText === null || span === undefined) throw new Error('a checked body has no text');
  const text = jsonText.text.slice(span.start, span.end);
  if (Buffer.byteLength(text) > mostBytes) {
    throw new ApiError('body_too_large', `'body' must be at most ${mostBytes} bytes long.`, {
      param: 'body',
    });
  }
  return text;
}

/** Half of a surrogate pair has no UTF-8: the name would come out of Redis as another one. */
function modelOf({ body: { model } }: JobRequest): string {
  if (model.isWellFormed()) return model;
  throw new ApiError('invalid_value', "Invalid 'body.model': must be well-formed Unicode.", {
    param: 'body.model',
  });
}

function toMs(seconds: number | null | undefined): number | null {
  return seconds == null ? null : Math.round(seconds * 1000);
}

function header({ headers }: FastifyRequest, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(',') : value;
}
