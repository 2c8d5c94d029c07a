import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Job, JobEvent } from '@nightshift/shared/job';
import { eventually } from '@nightshift/local';
import { expect, it } from 'vitest';
import type { Context } from '../../src/context.ts';
import type { JobSignal } from '../../src/event-hub.ts';
import { streamEvents } from '../../src/event-stream.ts';

/** A response whose reader takes nothing until `drain`. */
class StuckResponse extends EventEmitter {
  written: string[] = [];
  writableNeedDrain = true;
  destroyed = false;
  headersSent = true;
  ended = false;
  write(text: string): boolean {
    this.written.push(text);
    return false;
  }
  end(): void {
    this.ended = true;
  }
}

function setUp(log: JobEvent[], job: Partial<Job>, failing?: () => Error | undefined) {
  const reads: number[] = [];
  let signal: ((signal: JobSignal) => void) | undefined;
  const context = {
    heartbeatMs: 3_600_000,
    eventHub: {
      follow: async (_tenant: string, _id: string, listener: (signal: JobSignal) => void) => {
        signal = listener;
        return () => {};
      },
    },
    jobs: {
      getWithEvents: async (_tenant: string, _id: string, after: number) => {
        reads.push(after);
        const error = failing?.();
        if (error !== undefined) throw error;
        return { job, events: log.filter(({ seq }) => seq > after) };
      },
    },
  } as unknown as Context;
  const response = new StuckResponse();
  const streaming = streamEvents(context, {
    tenant: 'default',
    id: 'job_1',
    afterSeq: 0,
    response: response as unknown as ServerResponse,
    start: () => {},
  });
  return { reads, response, streaming, say: (what: JobSignal) => signal?.(what) };
}
const event = (seq: number, type: string): JobEvent => ({
  seq,
  type,
  atMs: 0,
  attempts: 0,
  detail: '',
});

it('reads nothing more for a reader who has not taken what there is', async () => {
  const log = [event(1, 'job.in_progress')];
  const job = { id: 'job_1', status: 'in_progress' as Job['status'] };
  const { reads, response, streaming, say } = setUp(log, job);
  await eventually(() => response.written.length === 1);
  for (let seq = 2; seq < 100; seq += 1) {
    log.push(event(seq, 'job.in_progress'));
    say('changed');
  }
  await new Promise((resolve) => setImmediate(resolve));
  expect(reads).toEqual([0]);
  expect(response.written.length).toBe(1);

  response.writableNeedDrain = false;
  response.emit('drain');
  await eventually(() => response.written.length === 2);
  expect(reads).toEqual([0, 1]);
  expect(response.written[1]?.match(/^id: /gm)?.length).toBe(98);
  response.emit('close');
  expect(await streaming).toBe('streamed');
  expect(response.ended).toBe(true);
});

it('outlives a Redis that is away, and resumes where it was', async () => {
  const log = [event(1, 'job.in_progress')];
  const job = { id: 'job_1', status: 'in_progress' as Job['status'] };
  let isAway = false;
  const { reads, response, streaming, say } = setUp(log, job, () =>
    isAway ? new Error('Connection is closed.') : undefined,
  );
  response.writableNeedDrain = false;
  await eventually(() => response.written.length === 1);
  isAway = true;
  say('changed');
  await eventually(() => reads.length === 2);
  isAway = false;
  log.push(event(2, 'job.queued'));
  say('reread');
  await eventually(() => response.written.length === 2);
  expect(reads).toEqual([0, 1, 1]);
  say('closing');
  expect(await streaming).toBe('streamed');
});
