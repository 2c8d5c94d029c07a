import { slotsFor } from '@nightshift/shared/fleet';
import { priorities, type Priority } from '@nightshift/shared/job';

/** Resolves to the slot's release once one is free; interactive first. Rejects with the signal's reason. */
type TakeSlot = (priority: Priority) => Promise<() => void>;

/** Units of concurrency of this process: WORKER_CONCURRENCY of them, over all lanes. */
export interface Slots {
  readonly total: number;
  readonly used: number;
  /** How many a job of this priority could take now. */
  free(priority: Priority): number;
  /** How slots are taken until a signal. */
  until(signal: AbortSignal): TakeSlot;
  /** Called whenever the number of free slots has changed. */
  onChange(listener: () => void): void;
}

interface Waiter {
  signal: AbortSignal;
  grant: () => void;
  reject: (reason: unknown) => void;
}

export function createSlots(total: number): Slots {
  const mostBulk = slotsFor('bulk', total);
  // Arrays, and one listener for all that wait until a signal: see Bag for what V8 makes of other lists of what comes and goes.
  const waiting: Record<Priority, Waiter[]> = { interactive: [], bulk: [] };
  const listeners: (() => void)[] = [];
  const used: Record<Priority, number> = { interactive: 0, bulk: 0 };
  const free = (priority: Priority): number => {
    const all = total - used.interactive - used.bulk;
    return priority === 'interactive' ? all : Math.min(all, mostBulk - used.bulk);
  };

  const changed = (): void => {
    for (const priority of priorities) {
      while (free(priority) > 0 && waiting[priority].length > 0) waiting[priority].shift()?.grant();
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
    get used() {
      return used.interactive + used.bulk;
    },
    free,
    until: (signal) => {
      const dismiss = (): void => {
        for (const priority of priorities) {
          const dismissed = waiting[priority].filter((waiter) => waiter.signal === signal);
          waiting[priority] = waiting[priority].filter((waiter) => waiter.signal !== signal);
          for (const { reject } of dismissed) reject(signal.reason);
        }
      };
      signal.addEventListener('abort', dismiss, { once: true });
      return async (priority) => {
        signal.throwIfAborted();
        if (free(priority) > 0) return occupy(priority);
        return new Promise((resolve, reject) => {
          const grant = (): void => {
            resolve(occupy(priority));
          };
          waiting[priority].push({ signal, grant, reject });
        });
      };
    },
    onChange: (listener) => {
      listeners.push(listener);
    },
  };
}
