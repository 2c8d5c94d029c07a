import type { Clock } from '@nightshift/shared/clock';
import type { Fleet } from '@nightshift/shared/fleet';
import type { WorkerStore } from '@nightshift/shared/redis';

/** Cached, because a page of a hundred jobs needs the same fleet; heartbeats come every 5 s. */
const FRESH_MS = 250;

export interface FleetStates {
  /** The workers as read at most 250 ms ago, with `nowMs` advanced to the present on Redis' clock. */
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
        // Do not cache a failure.
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
