/** Calls that each process may have in flight when its lane answers again. */
const FIRST = 2;

type Leave = (outcome: 'succeeded' | 'other') => void;

/** How many calls of a lane may be in flight here after its breaker has closed: a few, then twice as many each time they succeed. */
export interface SlowStart {
  /**
   * Waits for room; resolves to how the call is over. Null when there was no room after all: the caller looks at its lane
   * again, and may come back.
   */
  enter(signal: AbortSignal): Promise<Leave | null>;
  readonly room: number;
  /** The lane answers again. Calls from before do not count: they may hang for long. */
  begin(): void;
  /** Whoever waits looks at the lane again. */
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
