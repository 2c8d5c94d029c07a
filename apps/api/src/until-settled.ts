import type { ServerResponse } from 'node:http';
import { isSettled, type Job } from '@nightshift/shared/job';
import { isRedisAway } from '@nightshift/shared/redis';
import { createBell } from './bell.ts';
import type { Context } from './context.ts';

/** The connection for commands may be back a moment after the one that brings the messages. */
const READ_AGAIN_MS = 250;

/**
 * Reads a job as soon as it is settled, or as it is when the time is over, the process is about to end, or the
 * caller has gone. Null when there is no such job. Rejects when Redis is away at the beginning or at the end; an
 * outage in between is sat out.
 */
export async function untilSettled(
  { eventHub, jobs, clock }: Context,
  tenant: string,
  id: string,
  waitMs: number,
  response: ServerResponse,
): Promise<Job | null> {
  const deadline = clock.monotonic() + waitMs;
  let isOver = false;
  const bell = createBell();
  const finish = (): void => {
    isOver = true;
    bell.ring();
  };
  const unfollow = await eventHub.follow(tenant, id, (signal) => {
    if (signal === 'closing') isOver = true;
    // In between, a job only goes back and forth; nobody waits for that here.
    if (signal !== 'changed') bell.ring();
  });
  response.once('close', finish);
  const timer = setTimeout(finish, waitMs);
  let readAgain: NodeJS.Timeout | undefined;
  try {
    let job = await jobs.get(tenant, id);
    while (job !== null && !isSettled(job.status)) {
      if (isOver || response.destroyed || clock.monotonic() >= deadline) break;
      await bell.rung();
      try {
        job = await jobs.get(tenant, id);
      } catch (error) {
        if (isOver || !isRedisAway(error)) throw error;
        clearTimeout(readAgain);
        readAgain = setTimeout(bell.ring, READ_AGAIN_MS);
      }
    }
    return job;
  } finally {
    clearTimeout(timer);
    clearTimeout(readAgain);
    response.off('close', finish);
    unfollow();
  }
}
