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
    /** Renews a worker's record; `startedAtMs` is what the first beat resolved to, null for that one. */
    beat: async ({ id, ...record }: WorkerBeat, startedAtMs: number | null): Promise<number> =>
      Number(
        await run(
          'beat-worker',
          [seen, records],
          [id, startedAtMs ?? '', JSON.stringify(record), FORGOTTEN_AFTER_MS],
        ),
      ),

    /** The worker has stopped by itself. */
    forget: async (id: string): Promise<void> => {
      await run('forget-worker', [seen, records], [id]);
    },

    /** All workers that were heard of within ten minutes, those that started first at the top. */
    all: async (): Promise<Fleet> => {
      const [now, ...flat] = (await run('read-workers', [seen, records], [])) as string[];
      const nowMs = Number(now);
      const workers: FleetWorker[] = [];
      for (let at = 0; at + 2 < flat.length; at += 3) {
        const [id = '', lastSeen = '', record = ''] = flat.slice(at, at + 3);
        const worker = parseWorker(id, Number(lastSeen), record, nowMs);
        // Nobody beats when all are dead, and nobody drops them.
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
