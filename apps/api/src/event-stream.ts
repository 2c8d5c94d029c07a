import type { ServerResponse } from 'node:http';
import { jobToJson, type WaitingFor } from '@nightshift/shared/http';
import { isSettled, type Job, type JobEvent } from '@nightshift/shared/job';
import { isRedisAway } from '@nightshift/shared/redis';
import { createBell } from './bell.ts';
import type { Context } from './context.ts';
import { explainWaiting } from './present-job.ts';

export interface EventStreamOptions {
  tenant: string;
  id: string;
  /** The last event that the reader has; 0 for none. */
  afterSeq: number;
  response: ServerResponse;
  /** Called once there is something to stream; writes the head of the answer. */
  start: () => void;
}

/**
 * Streams a job's events until the terminal one. What is sent is always read from the log by sequence, never taken
 * from a message: nothing is lost when messages are, and a slow reader holds one page of events in memory, not all.
 *
 * Resolves to `missing` or `over` (the reader has had the terminal event) without having started.
 */
export async function streamEvents(
  context: Context,
  { tenant, id, afterSeq, response, start }: EventStreamOptions,
): Promise<'missing' | 'over' | 'streamed'> {
  const { jobs, eventHub, heartbeatMs } = context;
  let cursor = afterSeq;
  let isEnding = false;
  let isHeartbeatDue = false;
  const bell = createBell();
  const end = (): void => {
    isEnding = true;
    bell.ring();
  };
  const unfollow = await eventHub.follow(tenant, id, (signal) => {
    if (signal === 'closing') isEnding = true;
    bell.ring();
  });
  response.once('close', end);
  let heartbeat: NodeJS.Timeout | undefined;
  try {
    let read = await jobs.getWithEvents(tenant, id, cursor);
    if (read === null) return 'missing';
    if (isSettled(read.job.status) && read.events.length === 0) return 'over';
    start();
    heartbeat = setInterval(() => {
      isHeartbeatDue = true;
      bell.ring();
    }, heartbeatMs);
    for (;;) {
      if (read !== null) {
        response.write(await framesOf(context, read.job, read.events));
        cursor = read.events.at(-1)?.seq ?? cursor;
        if (isSettled(read.job.status)) break;
      }
      await drained(response);
      await bell.rung();
      if (isEnding) break;
      if (isHeartbeatDue) response.write(': still here\n\n');
      isHeartbeatDue = false;
      read = await readAgain(context, tenant, id, cursor);
    }
    return 'streamed';
  } finally {
    clearInterval(heartbeat);
    response.off('close', end);
    unfollow();
    if (response.headersSent) response.end();
  }
}

/** A Redis that is away ends no stream: the next heartbeat, or the reconnect, reads again. */
async function readAgain({ jobs }: Context, tenant: string, id: string, cursor: number) {
  try {
    return await jobs.getWithEvents(tenant, id, cursor);
  } catch (error) {
    if (isRedisAway(error)) return null;
    throw error;
  }
}

async function framesOf(context: Context, job: Job, events: readonly JobEvent[]): Promise<string> {
  const last = events.at(-1);
  const waiting = last === undefined ? null : await waitingOrNull(context, job);
  return events.map((event) => frame(event, job, event === last ? waiting : null)).join('');
}

/** One event. The terminal one carries the whole job, the others what was true of it at that moment. */
export function frame(event: JobEvent, job: Job, waiting: WaitingFor | null): string {
  const { seq, type, atMs, attempts, detail } = event;
  const status = type.slice('job.'.length);
  const shown =
    status === job.status && isSettled(job.status)
      ? jobToJson(job, null)
      : JSON.stringify({ id: job.id, object: 'job', status, attempts, waiting_for: waiting });
  const head = JSON.stringify({
    object: 'job.event',
    type,
    sequence: seq,
    created_at: Math.floor(atMs / 1000),
    detail: detail === '' ? null : detail,
  });
  const data = `${head.slice(0, -1)},"job":${shown}}`;
  // The provider's answer may be indented; a line break in a field of the stream would end the field.
  return `id: ${seq}\nevent: ${type}\ndata: ${data.replaceAll(/\r\n|\r|\n/g, '\ndata: ')}\n\n`;
}

async function waitingOrNull(context: Context, job: Job): Promise<WaitingFor | null> {
  try {
    return await explainWaiting(context, job);
  } catch {
    return null;
  }
}

/** Resolves when the reader has taken what was written, or has gone. */
export async function drained(response: ServerResponse): Promise<void> {
  if (!response.writableNeedDrain || response.destroyed) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      response.off('drain', done);
      response.off('close', done);
      resolve();
    };
    response.on('drain', done);
    response.on('close', done);
  });
}
