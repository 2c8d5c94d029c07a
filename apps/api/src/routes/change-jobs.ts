import type { FastifyInstance } from 'fastify';
import { ApiError } from '@nightshift/shared/errors';
import { deletedJobSchema, jobSchema } from '@nightshift/shared/http';
import { isSettled, type Job, type JobStatus } from '@nightshift/shared/job';
import { acceptJob } from '../accept-job.ts';
import type { Context } from '../context.ts';
import { noBodySchema } from '../plugins/validation.ts';
import { presentJob } from '../present-job.ts';
import { discard } from '../upload/spool.ts';
import { answer, errorAnswers, onBody, onRedis, onStorage, sendJson } from './answers.ts';
import {
  idempotencyHeadersSchema,
  idempotencyKeyOf,
  jobIdOf,
  jobParamsSchema,
  noSuchJob,
} from './job-parameters.ts';

const cancelSchema = {
  operationId: 'cancelJob',
  tags: ['jobs'],
  summary: 'Cancel a job',
  description:
    'Can be repeated; a settled job is answered as it is. A call in flight is aborted at the provider.',
  params: jobParamsSchema,
  body: noBodySchema,
  response: {
    200: answer('The job, settled', jobSchema),
    ...errorAnswers(...onBody, ...onRedis, ...onStorage, 'not_found'),
  },
};

const retrySchema = {
  operationId: 'retryJob',
  tags: ['jobs'],
  summary: 'Do a job again',
  description: 'A new job with the same request, for a job that failed, was cancelled or expired.',
  params: jobParamsSchema,
  headers: idempotencyHeadersSchema,
  body: noBodySchema,
  response: {
    202: answer('The new job; `retry_of` names the old one', jobSchema),
    ...errorAnswers(
      ...onBody,
      ...onRedis,
      'invalid_value',
      'not_found',
      'model_not_found',
      'job_not_retryable',
      'idempotency_key_reused',
      'too_many_lanes',
      'redis_full',
    ),
  },
};

const deleteSchema = {
  operationId: 'deleteJob',
  tags: ['jobs'],
  summary: 'Delete a settled job',
  description:
    'Removes the job and its answer from Redis and the blob store at once. Its `Idempotency-Key` can then create a new job.',
  params: jobParamsSchema,
  body: noBodySchema,
  response: {
    200: answer('The job is gone', deletedJobSchema),
    ...errorAnswers(...onBody, ...onRedis, 'not_found', 'job_not_settled'),
  },
};

export function registerChangeJobs(app: FastifyInstance, context: Context): void {
  const { jobs } = context;

  app.post('/v1/jobs/:id/cancel', { schema: cancelSchema }, async (request, reply) => {
    const id = jobIdOf(request.params);
    if ((await jobs.cancel(request.tenant, id)) === 'missing') throw noSuchJob(id);
    const job = await jobs.get(request.tenant, id);
    if (job === null) throw noSuchJob(id);
    return sendJson(reply, 200, await presentJob(context, job));
  });

  app.delete('/v1/jobs/:id', { schema: deleteSchema }, async (request, reply) => {
    const id = jobIdOf(request.params);
    const removed = await jobs.remove(request.tenant, id);
    if (removed.kind === 'missing') throw noSuchJob(id);
    if (removed.kind === 'not_settled') throw notSettled(id, removed.status);
    if (removed.blob !== null) {
      await discard(context, request.tenant, [{ kind: 'blob', name: removed.blob }]);
    }
    return sendJson(reply, 200, JSON.stringify({ id, object: 'job', deleted: true }));
  });

  app.post('/v1/jobs/:id/retry', { schema: retrySchema }, async (request, reply) => {
    const id = jobIdOf(request.params);
    const key = idempotencyKeyOf(request.headers['idempotency-key']);
    const [job, body] = await Promise.all([
      jobs.get(request.tenant, id),
      jobs.getBody(request.tenant, id),
    ]);
    if (job === null || body === null) throw noSuchJob(id);
    if (!isSettled(job.status) || job.status === 'completed') throw notRetryable(job);
    return acceptJob(context, reply, {
      job: {
        tenant: job.tenant,
        endpoint: job.endpoint,
        model: job.model,
        body,
        priority: job.priority,
        metadata: job.metadata,
        maxAttempts: job.maxAttempts,
        runAtMs: null,
        // The same window again, counted from now.
        expiresAfterMs: job.expiresAtMs === null ? null : job.expiresAtMs - job.createdAtMs,
        retryOf: id,
      },
      parsed: () => JSON.parse(body) as Record<string, unknown>,
      idempotency: key === null ? null : { key, content: { call: 'POST /v1/jobs/ID/retry', id } },
      waitS: null,
    });
  });
}

function notSettled(id: string, status: JobStatus): ApiError {
  return new ApiError(
    'job_not_settled',
    `Cannot delete job '${id}' with status '${status}'; wait until it is settled, or cancel it first.`,
    { param: 'id', headers: { 'x-should-retry': 'false' } },
  );
}

function notRetryable({ id, status }: Job): ApiError {
  return new ApiError(
    'job_not_retryable',
    `Cannot retry job '${id}' with status '${status}'; only failed, cancelled and expired jobs can be.`,
    { param: 'id', headers: { 'x-should-retry': 'false' } },
  );
}
