import { jobToJson, type WaitingFor } from '@nightshift/shared/http';
import type { Job } from '@nightshift/shared/job';
import type { Context } from './context.ts';
import { waitingFor } from './waiting-for.ts';

/** A job as its readers get it, with the reason why it waits if it does. */
export async function presentJob(context: Context, job: Job): Promise<string> {
  return jobToJson(job, await explainWaiting(context, job));
}

export async function explainWaiting(
  { laneStates, isAtLimit }: Context,
  job: Job,
): Promise<WaitingFor | null> {
  if (job.status !== 'queued') return null;
  const { state, budget } = await laneStates.get(job.laneId);
  return waitingFor(job, state, budget, isAtLimit());
}
