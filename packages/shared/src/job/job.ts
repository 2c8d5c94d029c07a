import { randomFillSync } from 'node:crypto';
import { v7 } from 'uuid';
import { systemClock } from '../clock/index.ts';
import type { Usage } from '../usage/usage.ts';
import type { TokenCounts } from './delivery.ts';
import type { Standing } from './standing.ts';

/** The provider calls that a job can make; also the paths under the provider's base URL, after `/v1`. */
export const endpoints = [
  '/v1/chat/completions',
  '/v1/completions',
  '/v1/responses',
  '/v1/embeddings',
  '/v1/moderations',
] as const;
export type Endpoint = (typeof endpoints)[number];

export const priorities = ['interactive', 'bulk'] as const;
export type Priority = (typeof priorities)[number];

/**
 * The states of a job and who takes it out of each. Every move is one script; a crash between two moves leaves the
 * job in the first.
 *
 * - `queued` → `in_progress` by the worker that claims it (begin-attempt). → `cancelled` by a caller. → `expired` by
 *   any worker's sweep, or by the claim that comes too late. A crash leaves it queued, with its delivery in BullMQ or
 *   in the outbox.
 * - `in_progress` → `completed` or `failed` by the worker that holds the claim (settle-job). → `queued` by the same
 *   (release-job): a rate limit, a backoff, a hand-off. → `cancelled`, `expired` as above, and the call is aborted.
 *   When the worker dies its delivery stalls, is handed to another, and the record is claimed again (begin-attempt)
 *   under the next generation; after too many deaths it is `failed` with `worker_lost`.
 * - `completed`, `failed`, `cancelled`, `expired` have no exit. The record is deleted when its retention ends, or when a
 *   caller deletes the job (delete-job).
 */
export const jobStatuses = [
  'queued',
  'in_progress',
  'completed',
  'failed',
  'cancelled',
  'expired',
] as const;
export type JobStatus = (typeof jobStatuses)[number];

export const settledStatuses = ['completed', 'failed', 'cancelled', 'expired'] as const;
export type SettledStatus = (typeof settledStatuses)[number];

export function isSettled(status: JobStatus): status is SettledStatus {
  return (settledStatuses as readonly string[]).includes(status);
}

/** Why queued work does not run: the same reasons for jobs, batches and lanes. */
export const waitReasons = [
  'run_at',
  'quiet_hours',
  /** An operator or caller paused the batch or the lane. */
  'paused',
  'rate_limit',
  'backoff',
  /** The provider refuses the credential or its quota. */
  'lane_paused',
  'provider_unreachable',
  /** No worker process is alive. */
  'no_worker',
  /** The blob store is full or unreachable. */
  'storage',
  'redis_full',
  /** Every slot of every worker is busy with other work. */
  'no_slot',
] as const;
export type WaitReason = (typeof waitReasons)[number];

/** Why a job that ended without a completed result did so, in `error.code`. */
export type JobErrorCode =
  | 'provider_rejected'
  | 'provider_error'
  | 'provider_unreachable'
  | 'request_timeout'
  | 'invalid_provider_answer'
  | 'job_cancelled'
  | 'job_expired'
  | 'worker_lost';

/** What a caller hands in, after the checks at the door. */
export interface NewJob {
  tenant: string;
  endpoint: Endpoint;
  model: string;
  laneId: string;
  /** The provider-shaped request, byte for byte as it came. */
  body: string;
  priority: Priority;
  metadata: Readonly<Record<string, string>>;
  maxAttempts: number;
  /** Unix milliseconds. */
  runAtMs: number | null;
  expiresAfterMs: number | null;
  retryOf: string | null;
  /** Null: unknown. */
  tokens: TokenCounts | null;
}

/** A job's record. Instants are unix milliseconds on Redis' clock. */
export interface Job {
  id: string;
  tenant: string;
  endpoint: Endpoint;
  model: string;
  laneId: string;
  status: JobStatus;
  priority: Priority;
  /** Attempts that counted, the one in progress included. */
  attempts: number;
  maxAttempts: number;
  /** Names the present delivery: `ID.DELIVERY` in BullMQ and in the outbox. */
  delivery: number;
  createdAtMs: number;
  startedAtMs: number | null;
  settledAtMs: number | null;
  expiresAtMs: number | null;
  runAtMs: number | null;
  retryAtMs: number | null;
  waitReason: WaitReason | null;
  waitMessage: string | null;
  /** The provider's answer; `body` is its text, untouched. */
  response: { statusCode: number; requestId: string | null; body: string } | null;
  error: { code: string; message: string } | null;
  usage: Usage | null;
  costUsd: number | null;
  metadata: Readonly<Record<string, string>>;
  retryOf: string | null;
  standing: Standing;
}

/** One line of a job's event log, in the order of `seq`, which rises by one. */
export interface JobEvent {
  seq: number;
  type: string;
  atMs: number;
  attempts: number;
  detail: string;
}

/** Random bytes by the page: asking the system for sixteen at a time costs more than all the rest of an id. */
const randomPage = new Uint8Array(4096);
let randomUsed = randomPage.length;

function sixteenRandomBytes(): Uint8Array {
  if (randomUsed === randomPage.length) {
    randomFillSync(randomPage);
    randomUsed = 0;
  }
  randomUsed += 16;
  return randomPage.slice(randomUsed - 16, randomUsed);
}

let lastMs = 0;
let seq = 0;

/** `job_` and 32 hex digits: a UUID of version 7, each greater than the one before. */
export function newJobId(): string {
  const random = sixteenRandomBytes();
  const nowMs = systemClock.now();
  if (nowMs > lastMs) {
    lastMs = nowMs;
    // Begins low, so that a millisecond has room for more ids than a process can make in it.
    seq = ((random[0] ?? 0) << 16) | ((random[1] ?? 0) << 8) | (random[2] ?? 0);
  } else {
    seq += 1;
  }
  return `job_${v7({ random, msecs: lastMs, seq }).replaceAll('-', '')}`;
}

export const jobIdPattern = /^job_[0-9a-f]{32}$/;
