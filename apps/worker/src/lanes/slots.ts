import type { Priority } from '@nightshift/shared/job';

/** Units of concurrency of this process: WORKER_CONCURRENCY of them, over all lanes. */
export interface Slots {
  readonly total: number;
  /** How many a job of this priority could take now. */
  free(priority: Priority): number;
  /** Resolves to the slot's release once one is free; interactive first. Rejects with the signal's reason. */
  take(priority: Priority, signal: AbortSignal): Promise<() => void>;
  /** Called whenever the number of free slots has changed. */
  onChange(listener: () => void): void;
}

/** One slot in twenty is kept from bulk, where there are twenty, so that an interactive job finds one at any time. */
const INTERACTIVE_SHARE = 0.05;

interface Waiter {
  grant: () => void;
}

export function createSlots(total: number): Slots {
  const mostBulk = total - Math.floor(total * INTERACTIVE_SHARE);
  const waiting: Record<Priority, Set<Waiter>> = { interactive: new Set(), bulk: new Set() };
  const listeners: (() => void)[] = [];
  const used: Record<Priority, number> = { interactive: 0, bulk: 0 };
  const free = (priority: Priority): number => {
    const all = total - used.interactive - used.bulk;
    return priority === 'interactive' ? all : Math.min(all, mostBulk - used.bulk);
  };

  const changed = (): void => {
    for (const priority of ['interactive', 'bulk'] as const) {
      for (const waiter of waiting[priority]) {
        if (free(priority) <= 0) break;
        waiting[priority].delete(waiter);
        waiter.grant();
      }
    }
    for (const listener of listeners) listener();
  };
  const occupy = (priority: Priority): (() => void) => {
    used[priority] += 1;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      used[priority] -= 1;
      changed();
    };
  };

  return {
    total,
    free,
    take: async (priority, signal) => {
      signal.throwIfAborted();
      if (free(priority) > 0) return occupy(priority);
      return new Promise((resolve, reject) => {
        const waiter: Waiter = {
          grant: () => {
            signal.removeEventListener('abort', onAbort);
            resolve(occupy(priority));
          },
        };
        const onAbort = (): void => {
          waiting[priority].delete(waiter);
          reject(signal.reason as Error);
        };
        signal.addEventListener('abort', onAbort, { once: true });
        waiting[priority].add(waiter);
      });
    },
    onChange: (listener) => {
      listeners.push(listener);
    },
  };
}
