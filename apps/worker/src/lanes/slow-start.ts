/** Calls that each process may have in flight when its lane answers again. */
const FIRST = 2;

/** How many calls of a lane may be in flight here after its breaker has closed: a few, then twice as many each time they succeed. */
export interface SlowStart {
  /** Waits for room; false when there was none after all: the caller looks at its lane again, and may come back. */
  enter(signal: AbortSignal): Promise<boolean>;
  leave(outcome: 'succeeded' | 'other'): void;
  readonly room: number;
  /** The lane answers again. */
  begin(): void;
  /** Whoever waits looks at the lane again. */
  wake(): void;
}

export function createSlowStart(most: number): SlowStart {
  let limit = Infinity;
  let inside = 0;
  let successes = 0;
  let waiting = 0;
  let changed = Promise.withResolvers<void>();
  const wake = (): void => {
    changed.resolve();
    changed = Promise.withResolvers();
  };

  return {
    enter: async (signal) => {
      if (inside >= limit) {
        waiting += 1;
        signal.addEventListener('abort', wake, { once: true });
        try {
          await changed.promise;
        } finally {
          waiting -= 1;
          signal.removeEventListener('abort', wake);
        }
        if (signal.aborted || inside >= limit) return false;
      }
      inside += 1;
      return true;
    },
    leave: (outcome) => {
      inside -= 1;
      if (limit !== Infinity && outcome === 'succeeded') {
        successes += 1;
        if (successes >= limit) {
          limit = 2 * limit > most ? Infinity : 2 * limit;
          successes = 0;
        }
      }
      if (waiting > 0 && inside < limit) wake();
    },
    get room() {
      return Math.max(0, limit - inside);
    },
    begin: () => {
      limit = FIRST;
      successes = 0;
    },
    wake,
  };
}
