import type { Clock } from '@nightshift/shared/clock';
import type { Fleet } from '@nightshift/shared/fleet';
import type { WorkerStore } from '@nightshift/shared/redis';

/** A page of a hundred jobs asks for the same fleet; workers tell of themselves every 5 s. */
const FRESH_MS = 250;

export interface FleetStates {
  /** The workers, as they were at most 250 ms ago, with `nowMs` brought forward to now on Redis' clock. */
  get(): Promise<Fleet>;
}

export function createFleetStates(workers: Pick<WorkerStore, 'all'>, clock: Clock): FleetStates {
  let known: { readAtMs: number; read: Promise<Fleet> } | null = null;
  return {
    get: async () => {
      const nowMs = clock.monotonic();
      if (known === null || nowMs - known.readAtMs > FRESH_MS) {
        const entry = { readAtMs: nowMs, read: workers.all() };
        known = entry;
        // A failure belongs to those who ask now, not to the next ones.
        entry.read.catch(() => {
          if (known === entry) known = null;
        });
      }
      const { readAtMs, read } = known;
      const fleet = await read;
      return { ...fleet, nowMs: fleet.nowMs + Math.round(clock.monotonic() - readAtMs) };
    },
  };
}
