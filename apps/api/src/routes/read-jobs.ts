import type { FastifyInstance } from 'fastify';
import { ApiError } from '@nightshift/shared/errors';
import {
  jobListSchema,
  jobSchema,
  listJobsQuerySchema,
  waitQuerySchema,
  type ListJobsQuery,
} from '@nightshift/shared/http';
import type { JobFilter } from '@nightshift/shared/redis';
import type { Context } from '../context.ts';
import { presentJob } from '../present-job.ts';
import { untilSettled } from '../until-settled.ts';
import { answer, errorAnswers, listToJson, onRedis, onStorage, sendJson } from './answers.ts';
import { jobIdOf, jobParamsSchema, noSuchJob } from './job-parameters.ts';

const getSchema = {
  operationId: 'getJob',
  tags: ['jobs'],
  summary: 'Read a job',
  description: 'With `wait` the answer comes when the job settles, or after that many seconds.',
  params: jobParamsSchema,
  querystring: waitQuerySchema,
  response: {
    200: answer('The job as it is now', jobSchema),
    ...errorAnswers(
      ...onRedis,
      ...onStorage,
      'not_found',
      'invalid_value',
      'unknown_parameter',
      'integer_above_max_value',
      'integer_below_min_value',
    ),
  },
};

const listSchema = {
  operationId: 'listJobs',
  tags: ['jobs'],
  summary: 'List jobs, newest first',
  description: 'Pages go on with `after` set to the `last_id` of the page before.',
  querystring: listJobsQuerySchema,
  response: {
    200: answer('A page of jobs', jobListSchema),
    ...errorAnswers(
      ...onRedis,
      ...onStorage,
      'invalid_type',
      'invalid_value',
      'unknown_parameter',
      'integer_above_max_value',
      'integer_below_min_value',
      'string_above_max_length',
      'object_above_max_properties',
    ),
  },
};

export function registerReadJobs(app: FastifyInstance, context: Context): void {
  const { jobs } = context;

  app.get('/v1/jobs/:id', { schema: getSchema }, async (request, reply) => {
    const id = jobIdOf(request.params);
    const { wait } = request.query as { wait?: number };
    const job =
      wait === undefined || wait === 0
        ? await jobs.get(request.tenant, id)
        : await untilSettled(context, request.tenant, id, wait * 1000, reply.raw);
    if (job === null) throw noSuchJob(id);
    return sendJson(reply, 200, await presentJob(context, job));
  });

  app.get('/v1/jobs', { schema: listSchema }, async (request, reply) => {
    const query = request.query as ListJobsQuery;
    const page = await jobs.list(request.tenant, filterOf(query), query.after ?? null, query.limit);
    if (page.kind === 'unknown_cursor') {
      throw new ApiError(
        'invalid_value',
        "Invalid 'after': must be the id of a job that this list holds.",
        { param: 'after' },
      );
    }
    const items = await Promise.all(page.jobs.map(async (job) => presentJob(context, job)));
    return sendJson(
      reply,
      200,
      listToJson(
        items,
        page.jobs.map(({ id }) => id),
        page.hasMore,
      ),
    );
  });
}

function filterOf({
  status,
  model,
  created_after: createdAfter,
  metadata,
}: ListJobsQuery): JobFilter {
  return {
    metadata,
    ...(status !== undefined && { status }),
    ...(model !== undefined && { model }),
    ...(createdAfter !== undefined && { createdAfterMs: createdAfter * 1000 }),
  };
}
