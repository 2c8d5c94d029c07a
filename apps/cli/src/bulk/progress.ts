import { isBatchSettled } from '@nightshift/shared/batch';
import type { BatchView, LaneView, WaitingFor } from '@nightshift/shared/http';
import { limitsInForce, type LimitInForce } from './limits-in-force.ts';

/** A batch and the lanes, as the API showed them at one instant. */
interface Look {
  /** Unix milliseconds. */
  atMs: number;
  batch: BatchView;
  lanes: readonly LaneView[];
}

/** Where a batch stands, in figures. */
export interface BatchProgress {
  atMs: number;
  id: string;
  status: BatchView['status'];
  isSettled: boolean;
  paused: boolean;
  /** 0 until the whole input has been read. */
  total: number;
  /** With a result, good or not: `completed + failed`. */
  done: number;
  completed: number;
  failed: number;
  /** Results a second, lately; of a settled batch over all of its time. Null while nobody can know. */
  perSecond: number | null;
  inputTokens: number;
  outputTokens: number;
  /** Null when a price is not known. */
  costUsd: number | null;
  /** Since it was accepted; of a settled batch until it was settled. */
  elapsedMs: number;
  /** When it ends at this speed; null if unknown, while nothing progresses, and when it has ended. */
  estimatedEndMs: number | null;
  /** When what is left expires. */
  expiresAtMs: number;
  /** No request is called before; null when it has passed or there is none. */
  startsAtMs: number | null;
  quietHours: BatchView['quiet_hours'];
  limits: LimitInForce[];
  /** Why it is waiting; null if it is not. */
  waitingFor: WaitingFor | null;
}

export interface ProgressTracker {
  /** The figures at this look, which is later than the one before. */
  look(look: Look): BatchProgress;
}

/** Long enough for a limit of a few requests a minute to show, short enough to follow a limit that changes. */
const RATE_WINDOW_MS = 60_000;
/** A batch without a result for this long, and for the time of three results at its speed, does not progress. */
const STILL_MS = 10_000;
const STILL_RESULTS = 3;

/** Turns one look after the other into figures. Holds what was counted within the last minute. */
export function createProgressTracker(windowMs: number = RATE_WINDOW_MS): ProgressTracker {
  let samples: { atMs: number; done: number }[] = [];
  let moved: { atMs: number; done: number } | null = null;

  const isStill = (atMs: number, done: number, perSecond: number | null): boolean => {
    if (moved === null || done !== moved.done) moved = { atMs, done };
    const patienceMs =
      perSecond === null || perSecond === 0 ? 0 : (STILL_RESULTS / perSecond) * 1000;
    return atMs - moved.atMs >= Math.max(STILL_MS, patienceMs);
  };

  const recentRate = (atMs: number, done: number): number | null => {
    samples.push({ atMs, done });
    // One from before the window stays: it is where the window begins.
    const inside = samples.findIndex((sample) => sample.atMs > atMs - windowMs);
    samples = samples.slice(Math.max(0, inside - 1));
    const [first] = samples;
    if (first === undefined || first.atMs >= atMs) return null;
    return Math.max(0, (done - first.done) / ((atMs - first.atMs) / 1000));
  };

  return {
    look: ({ atMs, batch, lanes }) => {
      const { total, completed, failed } = batch.request_counts;
      const isSettled = isBatchSettled(batch.status);
      const done = batch.status === 'failed' ? 0 : completed + failed;
      const recent = recentRate(atMs, done);
      const endMs = isSettled ? endOf(batch) : atMs;
      const perSecond = isSettled ? overallRate(batch, done, endMs) : recent;
      const startsAtMs = batch.run_at === null ? null : batch.run_at * 1000;
      const still = isStill(atMs, done, recent);
      const waitingFor = isSettled ? null : batch.waiting_for;
      const isWaiting = !isSettled && startsAtMs !== null && startsAtMs > atMs;
      return {
        atMs,
        id: batch.id,
        status: batch.status,
        isSettled,
        paused: batch.paused,
        total,
        done,
        completed,
        failed,
        perSecond,
        inputTokens: batch.usage.input_tokens,
        outputTokens: batch.usage.output_tokens,
        costUsd: batch.cost_usd,
        elapsedMs: Math.max(0, endMs - batch.created_at * 1000),
        estimatedEndMs:
          batch.status !== 'in_progress' ||
          waitingFor !== null ||
          batch.paused ||
          isWaiting ||
          still
            ? null
            : estimateEnd(atMs, total - done, perSecond),
        expiresAtMs: batch.expires_at * 1000,
        startsAtMs: isWaiting ? startsAtMs : null,
        quietHours: batch.quiet_hours,
        limits: isSettled ? [] : limitsInForce(batch, lanes),
        waitingFor,
      };
    },
  };
}

function estimateEnd(atMs: number, left: number, perSecond: number | null): number | null {
  if (perSecond === null || perSecond === 0) return null;
  return atMs + (left / perSecond) * 1000;
}

function endOf(batch: BatchView): number {
  const at =
    batch.completed_at ?? batch.expired_at ?? batch.cancelled_at ?? batch.failed_at ?? null;
  return (at ?? batch.created_at) * 1000;
}

/** The API tells whole seconds: a batch that took less than one has no rate that means something. */
function overallRate(batch: BatchView, done: number, endMs: number): number | null {
  if (batch.in_progress_at === null) return null;
  const tookMs = endMs - batch.in_progress_at * 1000;
  return tookMs < 1000 ? null : done / (tookMs / 1000);
}
