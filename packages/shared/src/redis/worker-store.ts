import {
  FORGOTTEN_AFTER_MS,
  workerState,
  type Fleet,
  type FleetWorker,
  type WorkerBeat,
} from '../fleet/index.ts';
import type { Keys } from './keys.ts';
import type { RunScript } from './scripts.ts';

export type WorkerStore = ReturnType<typeof createWorkerStore>;

/** The heartbeats of worker processes. */
export function createWorkerStore({ run, keys }: { run: RunScript; keys: Keys }) {
  const { seen, records } = keys.workers;
  return {
    /** Renews a worker's record. Resolves to its start; pass that as `startedAtMs`, and null for the first heartbeat. */
    beat: async ({ id, ...record }: WorkerBeat, startedAtMs: number | null): Promise<number> =>
      Number(
        await run(
          'beat-worker',
          [seen, records],
          [id, startedAtMs ?? '', JSON.stringify(record), FORGOTTEN_AFTER_MS],
        ),
      ),

    /** Removes a worker that stopped cleanly. */
    forget: async (id: string): Promise<void> => {
      await run('forget-worker', [seen, records], [id]);
    },

    /** All workers with a heartbeat within the last ten minutes, in order of their start. */
    all: async (): Promise<Fleet> => {
      const [now, ...flat] = (await run('read-workers', [seen, records], [])) as string[];
      const nowMs = Number(now);
      const workers: FleetWorker[] = [];
      for (let at = 0; at + 2 < flat.length; at += 3) {
        const [id = '', lastSeen = '', record = ''] = flat.slice(at, at + 3);
        const worker = parseWorker(id, Number(lastSeen), record, nowMs);
        // Only heartbeats drop old records, so after the last worker died its record is still there.
        if (nowMs - worker.lastSeenAtMs < FORGOTTEN_AFTER_MS) workers.push(worker);
      }
      workers.sort((a, b) => a.startedAtMs - b.startedAtMs);
      return { nowMs, workers };
    },
  };
}

function parseWorker(id: string, lastSeenAtMs: number, text: string, nowMs: number): FleetWorker {
  const space = text.indexOf(' ');
  const beat = JSON.parse(text.slice(space + 1)) as Omit<WorkerBeat, 'id'>;
  return {
    ...beat,
    id,
    startedAtMs: Number(text.slice(0, space)),
    lastSeenAtMs,
    state: workerState(beat.state, lastSeenAtMs, nowMs),
  };
}
