import type { ServerResponse } from 'node:http';
import { isBatchSettled, type Batch } from '@nightshift/shared/batch';
import { presentBatch, type WaitingFor } from '@nightshift/shared/http';
import { createBell } from '../bell.ts';
import { drained } from '../event-stream.ts';
import type { BatchSeen, BatchWatch, ExplainedBatch } from './batch-watch.ts';

export interface BatchStreamOptions {
  watch: BatchWatch;
  first: ExplainedBatch;
  /** The last event that the reader has; empty for none. */
  after: string;
  heartbeatMs: number;
  response: ServerResponse;
}

/** What an event tells of a batch, as its id: who reconnects with it gets only what is newer. */
export function eventIdOf(
  { status, counts, paused }: Batch,
  waitingFor: WaitingFor | null,
): string {
  const waits = waitingFor === null ? '' : `.${waitingFor.reason}.${waitingFor.until ?? ''}`;
  return `${status}.${counts.total}.${counts.completed}.${counts.failed}.${paused ? 1 : 0}${waits}`;
}

/**
 * Streams a batch's changes until it is settled. Each event is the whole batch, so a slow reader misses steps in between and
 * never where they led, and holds nothing in memory.
 */
export async function streamBatch({
  watch,
  first,
  after,
  heartbeatMs,
  response,
}: BatchStreamOptions): Promise<void> {
  const bell = createBell();
  let newest = first;
  let isEnding = false;
  let isHeartbeatDue = false;
  const end = (): void => {
    isEnding = true;
    bell.ring();
  };
  const unfollow = watch.follow(first.batch.tenant, first.batch.id, (seen: BatchSeen) => {
    if (seen === null || seen === 'closing') isEnding = true;
    // What others saw can be a second old; an end has no way back.
    else if (!isBatchSettled(newest.batch.status)) newest = seen;
    bell.ring();
  });
  response.once('close', end);
  const heartbeat = setInterval(() => {
    isHeartbeatDue = true;
    bell.ring();
  }, heartbeatMs);
  let toldId = after;
  let toldStatus = '';
  try {
    for (;;) {
      const { batch, waitingFor } = newest;
      const id = eventIdOf(batch, waitingFor);
      if (id !== toldId) {
        response.write(frame(id, newest, batch.status !== toldStatus));
        toldId = id;
        toldStatus = batch.status;
      } else if (isHeartbeatDue) {
        response.write(': still here\n\n');
      }
      isHeartbeatDue = false;
      if (isEnding || isBatchSettled(batch.status)) break;
      await drained(response);
      await bell.rung();
    }
  } finally {
    clearInterval(heartbeat);
    response.off('close', end);
    unfollow();
    response.end();
  }
}

function frame(id: string, { batch, waitingFor }: ExplainedBatch, isStatusNew: boolean): string {
  const type = isStatusNew ? `batch.${batch.status}` : 'batch.progressed';
  const data = JSON.stringify({
    object: 'batch.event',
    type,
    batch: presentBatch(batch, waitingFor),
  });
  return `id: ${id}\nevent: ${type}\ndata: ${data}\n\n`;
}
