import { jobToJson, presentWait, type WaitingFor } from '@nightshift/shared/http';
import { attemptsThatCount, type Job } from '@nightshift/shared/job';
import { jobWait, type LaneWords } from '@nightshift/shared/waiting';
import type { Context } from './context.ts';

/** A job as its readers get it, with the reason why it waits if it does. */
export async function presentJob(context: Context, job: Job): Promise<string> {
  const waiting = await explainWaiting(context, job);
  if (job.status !== 'queued' || job.standing.run === 0) return jobToJson(job, waiting);
  const { state } = await context.laneStates.get(job.laneId);
  return jobToJson({ ...job, attempts: attemptsThatCount(job, state.health.openedRuns) }, waiting);
}

export async function explainWaiting(context: Context, job: Job): Promise<WaitingFor | null> {
  if (job.status !== 'queued') return null;
  const [{ lane, state, budget }, fleet] = await Promise.all([
    context.laneStates.get(job.laneId),
    context.fleetStates.get(),
  ]);
  return presentWait(
    jobWait(job, {
      lane: lane ?? {
        id: job.laneId,
        provider: 'default',
        model: job.model,
        credential: 'default',
      },
      state,
      budget,
      fleet,
      isRedisFull: context.isAtLimit(),
      words: laneWords(context),
    }),
  );
}

/** With several tenants, one tenant must not read the provider's message about another's request. */
export function laneWords({ keys }: Pick<Context, 'keys'>): LaneWords {
  return { quotes: new Set(keys.map(({ tenant }) => tenant)).size < 2 };
}
