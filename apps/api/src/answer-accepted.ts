import type { FastifyReply } from 'fastify';
import { jobToJson, type WaitingFor } from '@nightshift/shared/http';
import { isSettled, type Job } from '@nightshift/shared/job';
import type { Context } from './context.ts';
import { explainWaiting } from './present-job.ts';
import { sendJson } from './routes/answers.ts';
import { untilSettled } from './until-settled.ts';

/**
 * Answers for a job that stands in Redis: 202, or 200 if the caller prefers to wait and it settles in time. The job is
 * a promise by now, so nothing that fails here may keep its id from the caller.
 */
export async function answerAccepted(
  context: Context,
  reply: FastifyReply,
  job: Job,
  waitS: number | null,
): Promise<FastifyReply> {
  let shown = job;
  let status = 202;
  if (waitS !== null) {
    shown = await waitFor(context, reply, job, waitS);
    reply.header('preference-applied', `wait=${waitS}`);
    if (isSettled(shown.status)) status = 200;
  }
  const waiting = await waitingOrNull(context, shown);
  reply.header('location', `/v1/jobs/${shown.id}`);
  if (status === 202) reply.header('retry-after', retryAfter(context, waiting));
  return sendJson(reply, status, jobToJson(shown, waiting));
}

async function waitFor(
  context: Context,
  reply: FastifyReply,
  job: Job,
  waitS: number,
): Promise<Job> {
  if (isSettled(job.status)) return job;
  try {
    return (await untilSettled(context, job.tenant, job.id, waitS * 1000, reply.raw)) ?? job;
  } catch (error) {
    context.logger.warn({ jobId: job.id, reason: (error as Error).message }, 'job.wait_cut_short');
    return job;
  }
}

async function waitingOrNull(context: Context, job: Job): Promise<WaitingFor | null> {
  try {
    return await explainWaiting(context, job);
  } catch {
    return null;
  }
}

/** When it is worth asking for the job, in seconds; the SDKs pass over anything above 60. */
function retryAfter({ clock }: Context, waiting: WaitingFor | null): string {
  const until = waiting?.until ?? null;
  if (until === null) return '1';
  return String(Math.min(60, Math.max(1, until - Math.floor(clock.now() / 1000))));
}
