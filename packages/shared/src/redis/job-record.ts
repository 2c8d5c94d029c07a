import { parseStanding } from '../job/index.ts';
import type { Job, JobEvent, JobStatus, Priority, WaitReason, Endpoint } from '../job/index.ts';
import type { Usage } from '../usage/index.ts';

/** The fields that a reader of a job needs; the request body and bookkeeping stay in Redis. */
export const jobFields = [
  'id',
  'tenant',
  'endpoint',
  'model',
  'lane',
  'status',
  'priority',
  'attempts',
  'max_attempts',
  'delivery',
  'created_at',
  'started_at',
  'settled_at',
  'expires_at',
  'run_at',
  'retry_at',
  'wait_reason',
  'wait_message',
  'response_status',
  'response_request_id',
  'response_body',
  'response_blob',
  'error_code',
  'error_message',
  'usage',
  'cost_usd',
  'metadata',
  'retry_of',
  'standing',
] as const;

type Field = (typeof jobFields)[number];

/** The blob that holds a stored record's answer, or null if the record holds it itself. */
export function answerBlobOf(values: readonly (string | null)[]): string | null {
  return values[jobFields.indexOf('response_blob')] || null;
}

/** A stored record as a job; null when there is none. Our own scripts wrote it, so the values are taken as they are. */
export function parseJob(values: readonly (string | null)[]): Job | null {
  const read = (name: Field): string => values[jobFields.indexOf(name)] ?? '';
  const orNull = (name: Field): string | null => read(name) || null;
  const instant = (name: Field): number | null => (read(name) === '' ? null : Number(read(name)));
  if (read('id') === '') return null;
  const errorCode = orNull('error_code');
  return {
    id: read('id'),
    tenant: read('tenant'),
    endpoint: read('endpoint') as Endpoint,
    model: read('model'),
    laneId: read('lane'),
    status: read('status') as JobStatus,
    priority: read('priority') as Priority,
    attempts: Number(read('attempts')),
    maxAttempts: Number(read('max_attempts')),
    delivery: Number(read('delivery')),
    createdAtMs: Number(read('created_at')),
    startedAtMs: instant('started_at'),
    settledAtMs: instant('settled_at'),
    expiresAtMs: instant('expires_at'),
    runAtMs: instant('run_at'),
    retryAtMs: instant('retry_at'),
    waitReason: orNull('wait_reason') as WaitReason | null,
    waitMessage: orNull('wait_message'),
    response:
      read('response_status') === ''
        ? null
        : {
            statusCode: Number(read('response_status')),
            requestId: orNull('response_request_id'),
            body: read('response_body'),
          },
    error: errorCode === null ? null : { code: errorCode, message: read('error_message') },
    usage: read('usage') === '' ? null : (JSON.parse(read('usage')) as Usage),
    costUsd: instant('cost_usd'),
    metadata:
      read('metadata') === '' ? {} : (JSON.parse(read('metadata')) as Record<string, string>),
    retryOf: orNull('retry_of'),
    standing: parseStanding(read('standing')),
  };
}

/** The event log of a record: lines of `seq|type|at_ms|attempts|detail`. */
export function parseEvents(log: string | null): JobEvent[] {
  if (log === null || log === '') return [];
  return log.split('\n').map((line) => {
    const [seq = '0', type = '', at = '0', attempts = '0', ...detail] = line.split('|');
    return {
      seq: Number(seq),
      type,
      atMs: Number(at),
      attempts: Number(attempts),
      detail: detail.join('|'),
    };
  });
}
