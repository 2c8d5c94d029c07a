import type { Clock } from '@nightshift/shared/clock';
import { laneStanding, type LaneState } from '@nightshift/shared/lane';

/** Waits up to this long are spent where the job is; longer ones send it back to its queue. */
const SHORT_WAIT_MS = 1000;

type Admission = { kind: 'admitted'; isProbe: boolean } | { kind: 'not_now' };

/**
 * Whether this process may call its lane now. Follows the lane's shared state; instants are turned into this
 * process's own monotonic clock as they arrive, so that a wrong wall clock does no harm.
 */
export interface LaneGate {
  /** Takes over what Redis says. */
  update(state: LaneState): void;
  /** Waits for a short cool-down or for the answer of a probe; `not_now` when it takes longer. */
  admit(): Promise<Admission>;
  /** True while the lane's queues should not be read. `untilMs`: on the monotonic clock, null when unknown. */
  readonly closed: { untilMs: number | null; probeDue: boolean } | null;
  /** True while calls are held back, for however short a time. */
  readonly isHolding: boolean;
  /** This process holds the probe: the next job admitted is the one call that tries the lane. */
  startProbe(): void;
  /** The probe's call is over, or nobody used it. */
  endProbe(): void;
  readonly probing: boolean;
  onChange(listener: () => void): void;
}

export function createLaneGate(clock: Clock, stopping: AbortSignal): LaneGate {
  let coolUntilMs = -Infinity;
  let paused: { probeAtMs: number | null } | null = null;
  let probe: 'none' | 'waiting' | 'called' = 'none';
  const listeners: (() => void)[] = [];
  let wake = Promise.withResolvers<void>();
  const changed = (): void => {
    wake.resolve();
    wake = Promise.withResolvers();
    for (const listener of listeners) listener();
  };

  stopping.addEventListener('abort', changed, { once: true });

  return {
    update: (state) => {
      const now = clock.monotonic();
      const standing = laneStanding(state);
      // While paused the cool-down of earlier refusals still counts for the moment when it opens.
      coolUntilMs =
        state.coolingUntilMs === null ? -Infinity : now + state.coolingUntilMs - state.nowMs;
      paused =
        standing.state === 'paused' || standing.state === 'unreachable'
          ? { probeAtMs: standing.untilMs === null ? null : now + standing.untilMs - state.nowMs }
          : null;
      if (paused === null) probe = 'none';
      changed();
    },
    admit: async () => {
      for (;;) {
        if (stopping.aborted) return { kind: 'not_now' };
        const now = clock.monotonic();
        if (paused !== null) {
          if (probe === 'waiting') {
            probe = 'called';
            return { kind: 'admitted', isProbe: true };
          }
          if (probe === 'none') return { kind: 'not_now' };
          // The probe's answer decides for the others that were fetched meanwhile.
          await wake.promise;
          continue;
        }
        if (coolUntilMs <= now) return { kind: 'admitted', isProbe: false };
        if (coolUntilMs - now > SHORT_WAIT_MS) return { kind: 'not_now' };
        await clock.sleep(coolUntilMs - now, stopping).catch(() => undefined);
      }
    },
    get closed() {
      const now = clock.monotonic();
      if (paused !== null) {
        if (probe !== 'none') return null;
        return {
          untilMs: paused.probeAtMs,
          probeDue: paused.probeAtMs !== null && paused.probeAtMs <= now,
        };
      }
      return coolUntilMs - now > SHORT_WAIT_MS ? { untilMs: coolUntilMs, probeDue: false } : null;
    },
    get isHolding() {
      return paused !== null || coolUntilMs > clock.monotonic();
    },
    startProbe: () => {
      if (paused !== null) probe = 'waiting';
      changed();
    },
    endProbe: () => {
      probe = 'none';
      changed();
    },
    get probing() {
      return probe !== 'none';
    },
    onChange: (listener) => {
      listeners.push(listener);
    },
  };
}
