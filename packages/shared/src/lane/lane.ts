import { createHash } from 'node:crypto';

/** Provider + model + credential: one set of limits, its queues, its state. */
export interface Lane {
  id: string;
  provider: string;
  model: string;
  /** The credential's name, never the credential. */
  credential: string;
}

/**
 * What is known of whether a lane may be called now. Instants are unix milliseconds on Redis' clock.
 *
 * - `open` → `cooling` by a 429 (cool-lane) → `open` when its time is over; nobody has to act.
 * - any → `paused` by an operator, until an operator resumes it; or by the provider (401, 403, no quota), until a
 *   probe is answered (open-lane) or an operator resumes it. A worker that dies with the probe gives way after the
 *   probe's hold.
 * - `open`, `cooling` → `unreachable` when consecutive calls fail (fail-lane): its breaker is open. → `open`, `cooling` on the
 *   first answer to a trial (answer-lane), or when an operator resumes it (open-lane).
 */
export interface LaneState {
  nowMs: number;
  coolingUntilMs: number | null;
  operatorPaused: boolean;
  paused: { reason: LanePauseReason; message: string; probeAtMs: number } | null;
  /** Set while the breaker is open: since when, the number of failures, the last message, and when the next trial is due. */
  unreachable: { sinceMs: number; failures: number; message: string; trialAtMs: number } | null;
  lastRefusedAtMs: number | null;
}

/** What the fleet knows about the results of a lane's calls. Times are unix milliseconds on Redis' clock, 0 for never. */
export interface LaneHealth {
  /** A run of failures is open: no success was reported since its first failure. */
  isFailing: boolean;
  /** Numbers of the runs of failures that opened the breaker, newest first, a comma before and after each. */
  openedRuns: string;
  /** When the last success came back, and the latest time at which a successful call was sent. */
  succeededAtMs: number;
  succeededSentAtMs: number;
  /** How long a slow call takes; 0 while no call has succeeded. */
  slowMs: number;
  /** The only job whose refusal paused the lane; `*` for several, null for none. */
  refusedJob: string | null;
}

export interface LaneSnapshot extends LaneState {
  health: LaneHealth;
}

export const lanePauseReasons = ['unauthorized', 'forbidden', 'insufficient_quota'] as const;
export type LanePauseReason = (typeof lanePauseReasons)[number];

/** Hashed once: every job asks. Emptied when full, since callers choose the names. */
const known = new Map<string, Lane>();
const MOST_KNOWN = 5000;

/**
 * `lane_` and 16 hex digits of a hash: model names hold slashes and colons, which neither a path nor a queue name takes.
 */
export function laneOf(provider: string, model: string, credential: string): Lane {
  const key = JSON.stringify([provider, model, credential]);
  const before = known.get(key);
  if (before !== undefined) return before;
  const hash = createHash('sha256').update(key).digest('hex');
  const lane = { id: `lane_${hash.slice(0, 16)}`, provider, model, credential };
  if (known.size === MOST_KNOWN) known.clear();
  known.set(key, lane);
  return lane;
}

export const laneIdPattern = /^lane_[0-9a-f]{16}$/;

export type LaneStanding =
  | { state: 'open' }
  | { state: 'cooling'; untilMs: number }
  | {
      state: 'paused';
      reason: 'operator' | LanePauseReason;
      message: string;
      untilMs: number | null;
    }
  | { state: 'unreachable'; message: string; failures: number; sinceMs: number; untilMs: number };

/** The one state that a lane shows, of all that is known of it. `untilMs` of a paused or unreachable lane is its next probe or trial. */
export function laneStanding(state: LaneState): LaneStanding {
  if (state.operatorPaused) {
    return { state: 'paused', reason: 'operator', message: 'paused by an operator', untilMs: null };
  }
  if (state.paused !== null) {
    const { reason, message, probeAtMs } = state.paused;
    return { state: 'paused', reason, message, untilMs: probeAtMs };
  }
  if (state.unreachable !== null) {
    const { sinceMs, failures, message, trialAtMs } = state.unreachable;
    return { state: 'unreachable', message, failures, sinceMs, untilMs: trialAtMs };
  }
  if (state.coolingUntilMs !== null && state.coolingUntilMs > state.nowMs) {
    return { state: 'cooling', untilMs: state.coolingUntilMs };
  }
  return { state: 'open' };
}
