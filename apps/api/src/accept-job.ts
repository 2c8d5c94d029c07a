import { createHash } from 'node:crypto';
import type { FastifyReply } from 'fastify';
import { routeModel } from '@nightshift/shared/config';
import { ApiError } from '@nightshift/shared/errors';
import {
  newJobId,
  noStanding,
  type Job,
  type NewJob,
  type TokenCounts,
} from '@nightshift/shared/job';
import { canonicalJson } from '@nightshift/shared/json';
import { laneOf, mayLimitTokens } from '@nightshift/shared/lane';
import type { AcceptResult } from '@nightshift/shared/redis';
import { estimateTokens } from '@nightshift/shared/tokens';
import { answerAccepted } from './answer-accepted.ts';
import type { Context } from './context.ts';
import { redisFull } from './plugins/error-answers.ts';
import { noSuchJob } from './routes/job-parameters.ts';

export interface Submission {
  job: Omit<NewJob, 'laneId' | 'tokens'>;
  /** The request as an object, to count its tokens where that matters. */
  parsed: () => Record<string, unknown>;
  idempotency: { key: string; content: unknown } | null;
  /** Seconds that the caller wants to wait for the settled job, or null. */
  waitS: number | null;
}

/** `accept → deliver → answer`: the way of every new job, whoever makes it. */
export async function acceptJob(
  context: Context,
  reply: FastifyReply,
  { job: wanted, parsed, idempotency, waitS }: Submission,
): Promise<FastifyReply> {
  if (context.isFull()) throw redisFull();
  const laneId = await openLane(context, wanted.model);
  const tokens = (await countsTokens(context, laneId)) ? countTokens(wanted, parsed()) : null;
  const job: NewJob = { ...wanted, laneId, tokens };
  const result = await context.jobs.accept(
    newJobId(),
    job,
    idempotency && {
      key: idempotency.key,
      contentHash: createHash('sha256').update(canonicalJson(idempotency.content)).digest('hex'),
    },
  );
  if (result.kind === 'conflict') throw keyReused();
  if (result.kind === 'replayed') {
    const earlier = await context.jobs.get(job.tenant, result.id);
    if (earlier === null) throw noSuchJob(result.id);
    reply.header('idempotent-replayed', 'true');
    return answerAccepted(context, reply, earlier, waitS);
  }

  // Not awaited: the outbox stands for the delivery. What is not due yet is delivered from there.
  if (result.entry !== null) {
    context.deliveryBuffer.push(job.laneId, job.priority, { ...result.entry, tenant: job.tenant });
  }
  return answerAccepted(context, reply, acceptedJob(job, result), waitS);
}

/** Counting costs more than all else here; a lane that is known to have no limit of tokens needs none. */
async function countsTokens({ laneStates }: Context, laneId: string): Promise<boolean> {
  try {
    return mayLimitTokens((await laneStates.get(laneId)).budget);
  } catch {
    return true;
  }
}

function countTokens(
  { endpoint, model }: Submission['job'],
  body: Record<string, unknown>,
): TokenCounts {
  const { inputTokens, maxOutputTokens, choices } = estimateTokens(endpoint, model, body);
  return [inputTokens, maxOutputTokens, choices];
}

async function openLane(context: Context, model: string): Promise<string> {
  const provider = routeModel(context.configuration, model);
  if (provider === undefined) {
    throw new ApiError('model_not_found', `No configured provider serves the model '${model}'.`, {
      param: 'body.model',
    });
  }
  const lane = laneOf(provider.name, model, provider.credential);
  if ((await context.lanes.register(lane)) === 'too_many') {
    throw new ApiError(
      'too_many_lanes',
      `More than ${context.configuration.limits.lanes} different models are in use; raise limits.lanes or use fewer.`,
      { param: 'body.model', headers: { 'retry-after': '60' } },
    );
  }
  return lane.id;
}

/** The record that Redis has now, from what it was given: reading it back would cost a round trip for each job. */
function acceptedJob(job: NewJob, result: Extract<AcceptResult, { kind: 'accepted' }>): Job {
  return {
    id: result.id,
    tenant: job.tenant,
    endpoint: job.endpoint,
    model: job.model,
    laneId: job.laneId,
    status: 'queued',
    priority: job.priority,
    attempts: 0,
    maxAttempts: job.maxAttempts,
    delivery: 1,
    createdAtMs: result.nowMs,
    startedAtMs: null,
    settledAtMs: null,
    expiresAtMs: job.expiresAfterMs === null ? null : result.nowMs + job.expiresAfterMs,
    runAtMs: job.runAtMs,
    retryAtMs: null,
    waitReason: null,
    waitMessage: null,
    response: null,
    error: null,
    usage: null,
    costUsd: null,
    metadata: job.metadata,
    retryOf: job.retryOf,
    standing: noStanding,
  };
}

export function keyReused(): ApiError {
  return new ApiError(
    'idempotency_key_reused',
    'This Idempotency-Key was used within the last 24 hours with other content; use a new key.',
    { param: 'Idempotency-Key', headers: { 'x-should-retry': 'false' } },
  );
}
