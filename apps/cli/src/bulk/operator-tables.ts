import type { LaneView } from '@nightshift/shared/http';
import { clockTime, count, duration, money } from './format.ts';
import {
  laneCountOf,
  type ListedBatch,
  type WaitingView,
  type WorkerView,
} from './operator-views.ts';
import type { TextTable } from './text-table.ts';

/** @param nowMs unix milliseconds */
export function batchTable(batches: readonly ListedBatch[], nowMs: number): TextTable {
  return {
    columns: ['BATCH', 'STATUS', '>DONE', '>FAILED', '>COST', 'CREATED', 'WAITS FOR'],
    rows: batches.map((batch) => [
      batch.id,
      `${batch.status.replace('_', ' ')}${batch.paused ? ', paused' : ''}`,
      progressOf(batch),
      count(batch.status === 'failed' ? 0 : batch.request_counts.failed),
      batch.cost_usd === null ? 'unknown' : money(batch.cost_usd),
      clockTime(batch.created_at * 1000, nowMs),
      batch.waiting_for == null ? '' : whyText(batch.waiting_for, nowMs),
    ]),
  };
}

function progressOf({ status, request_counts: counts }: ListedBatch): string {
  const { total, completed, failed } = counts;
  if (status === 'failed' || total === 0) return '–';
  const done = completed + failed;
  return `${count(done)} of ${count(total)}, ${Math.floor((done / total) * 100)} %`;
}

function whyText({ reason, message, until }: WaitingView, nowMs: number): string {
  const end = until === null ? '' : ` (until ${clockTime(until * 1000, nowMs)})`;
  return `${message === '' ? reason : message}${end}`;
}

export function laneTable(lanes: readonly LaneView[], nowMs: number): TextTable {
  return {
    columns: [
      'MODEL',
      'PROVIDER',
      'STATE',
      '>CALLS/MIN',
      '>REFUSED',
      '>IN FLIGHT',
      '>QUEUED',
      'LANE',
      'WHY',
    ],
    rows: lanes.map((lane) => [
      lane.model,
      lane.provider,
      lane.state,
      count(lane.calls_last_minute),
      count(lane.refused_last_minute),
      count(lane.in_flight),
      count(lane.queued.interactive + lane.queued.bulk),
      lane.id,
      lane.state === 'open'
        ? ''
        : whyText(
            { reason: lane.reason ?? lane.state, message: lane.message ?? '', until: lane.until },
            nowMs,
          ),
    ]),
  };
}

export function workerTable(workers: readonly WorkerView[], nowMs: number): TextTable {
  const ago = (seconds: number | null): string =>
    seconds === null ? 'unknown' : `${duration(nowMs - seconds * 1000)} ago`;
  return {
    columns: [
      'WORKER',
      'HOST',
      '>PROCESS',
      'STATE',
      'VERSION',
      '>SLOTS',
      '>LANES',
      '>STARTED',
      '>LAST SEEN',
    ],
    rows: workers.map((worker) => [
      worker.id,
      worker.host,
      String(worker.pid),
      worker.state,
      worker.version,
      `${count(worker.slots_used)} of ${count(worker.slots)}`,
      count(laneCountOf(worker)),
      ago(worker.started_at),
      ago(worker.last_seen_at),
    ]),
  };
}
