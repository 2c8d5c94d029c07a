import type { Endpoint } from '../job/index.ts';
import type { Usage } from '../usage/index.ts';
import type { InputErrorCode } from './input-line.ts';

/**
 * - `validating` → `in_progress` or `failed`, by its conductor, when the whole input has been read.
 * - `in_progress` → `finalizing` → `completed`, or `expired` when its window ends first.
 * - `validating`, `in_progress` → `cancelling`, by a caller; → `cancelled` when what was in flight has ended.
 *
 * A conductor that dies leaves any of them; the next one goes on from what is committed.
 */
export const batchStatuses = [
  'validating',
  'failed',
  'in_progress',
  'finalizing',
  'completed',
  'expired',
  'cancelling',
  'cancelled',
] as const;
export type BatchStatus = (typeof batchStatuses)[number];

const settledBatch: ReadonlySet<BatchStatus> = new Set([
  'failed',
  'completed',
  'expired',
  'cancelled',
]);

export function isBatchSettled(status: BatchStatus): boolean {
  return settledBatch.has(status);
}

/** One entry of `errors.data[]`. */
export interface BatchInputError {
  code: InputErrorCode;
  message: string;
  param: string | null;
  line: number | null;
}

/** A part of an output file: how much of a segment its conductor committed. */
export interface ResultSegment {
  name: string;
  bytes: number;
  lines: number;
}

/** What a caller hands in, after the checks at the door. */
export interface NewBatch {
  tenant: string;
  endpoint: Endpoint;
  inputFileId: string;
  /** As it was written: `24h`. */
  completionWindow: string;
  windowMs: number;
  metadata: Readonly<Record<string, string>> | null;
  /** How long the output files are kept, or null for the default. */
  outputExpiresAfterMs: number | null;
  /** No line is called before; unix milliseconds. */
  runAtMs: number | null;
  /** Lines are called only within these hours of each day. */
  quietHours: QuietHours | null;
  retryOf: string | null;
}

/** A daily stretch of time in which a batch may run: `22:00` to `06:00` in `Europe/Berlin`. */
export interface QuietHours {
  start: string;
  end: string;
  timeZone: string;
}

/** A batch's record. Instants are unix milliseconds on Redis' clock. */
export interface Batch {
  id: string;
  tenant: string;
  endpoint: Endpoint;
  /** The one model of all lines; null while unknown or when there are several. */
  model: string | null;
  status: BatchStatus;
  inputFileId: string;
  completionWindow: string;
  outputFileId: string | null;
  errorFileId: string | null;
  /** The first 1,000 of them. */
  errors: readonly BatchInputError[] | null;
  /** All of them. */
  errorCount: number;
  createdAtMs: number;
  inProgressAtMs: number | null;
  expiresAtMs: number;
  finalizingAtMs: number | null;
  completedAtMs: number | null;
  failedAtMs: number | null;
  expiredAtMs: number | null;
  cancellingAtMs: number | null;
  cancelledAtMs: number | null;
  counts: { total: number; completed: number; failed: number };
  usage: Usage;
  /** Null while the price of a model in it is unknown. */
  costUsd: number | null;
  metadata: Readonly<Record<string, string>> | null;
  paused: boolean;
  runAtMs: number | null;
  quietHours: QuietHours | null;
  retryOf: string | null;
  /** How long its output files are kept from its end, or null for the default. */
  outputExpiresAfterMs: number | null;
  /** What stops its conductor now; null when nothing does. */
  heldUp: { reason: 'storage' | 'redis_full'; message: string } | null;
  /** What can be read of its results already: of those that succeeded, and of the others. */
  output: readonly ResultSegment[];
  failures: readonly ResultSegment[];
}

/** Sampled lines of a batch that are in the same lane and state. */
export interface LineGroup {
  laneId: string;
  state: 'called' | 'queued' | 'backoff';
  count: number;
  /** For lines in backoff: when the first is due, and the message of its last attempt. */
  retryAtMs: number | null;
  message: string;
}

/** The state of a batch's open lines. */
export interface OpenLines {
  /** A line was settled within the last seconds; the groups are then not read. */
  isMoving: boolean;
  groups: readonly LineGroup[];
}
