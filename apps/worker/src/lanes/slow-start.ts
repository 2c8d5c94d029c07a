/** Calls that each process may have in flight when the lane answers again. */
const FIRST = 2;

type Leave = (outcome: 'succeeded' | 'other') => void;

/** Limits a lane's calls in flight in this process after its breaker closes: starts low, and doubles as calls succeed. */
export interface SlowStart {
  /**
   * Waits until a call may start; resolves to a function to call when it ends. Resolves to null after a wait without room: the
   * caller must check its lane again and may retry.
   */
  enter(signal: AbortSignal): Promise<Leave | null>;
  readonly room: number;
  /** Restarts from the lowest limit. Earlier calls no longer count, since they may hang for a long time. */
  begin(): void;
  /** Wakes all waiting callers so that they check the lane again. */
  wake(): void;
}

export function createSlowStart(most: number): SlowStart {
  let limit = Infinity;
  let starts = 0;
  let inside = 0;
  let successes = 0;
  let waiting = 0;
  let changed = Promise.withResolvers<void>();
  const wake = (): void => {
    changed.resolve();
    changed = Promise.withResolvers();
  };
  const waitForChange = async (signal: AbortSignal): Promise<void> => {
    waiting += 1;
    signal.addEventListener('abort', wake, { once: true });
    try {
      await changed.promise;
    } finally {
      waiting -= 1;
      signal.removeEventListener('abort', wake);
    }
  };
  const grow = (): void => {
    successes += 1;
    if (successes < limit) return;
    limit = 2 * limit > most ? Infinity : 2 * limit;
    successes = 0;
  };

  return {
    enter: async (signal) => {
      if (inside >= limit) {
        await waitForChange(signal);
        if (signal.aborted || inside >= limit) return null;
      }
      inside += 1;
      const start = starts;
      return (outcome) => {
        if (start !== starts) return;
        inside -= 1;
        if (limit !== Infinity && outcome === 'succeeded') grow();
        if (waiting > 0 && inside < limit) wake();
      };
    },
    get room() {
      return Math.max(0, limit - inside);
    },
    begin: () => {
      limit = FIRST;
      starts += 1;
      inside = 0;
      successes = 0;
    },
    wake,
  };
}
