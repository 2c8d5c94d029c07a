import type { Clock } from '@nightshift/shared/clock';
import { BEAT_EVERY_MS, type WorkerBeat } from '@nightshift/shared/fleet';
import type { WorkerStore } from '@nightshift/shared/redis';
import type { Logger } from '@nightshift/shared/telemetry';

/**
 * Reports every few seconds that this process is alive. It runs in the thread that makes the calls, so that heartbeats stop when
 * that thread is blocked or frozen.
 */
export interface Heartbeat {
  /** Resolves after the first beat. */
  start(): Promise<void>;
  /** Reports that this worker takes no more jobs. */
  announceStop(): void;
  /** Removes this worker from the list, if Redis answers in time. Can be called twice. */
  stop(): Promise<void>;
}

/** If Redis does not answer in time, the worker becomes silent and is dropped from the list later. */
const FAREWELL_MS = 500;

export function createHeartbeat({
  workers,
  about,
  load,
  clock,
  logger,
  everyMs = BEAT_EVERY_MS,
}: {
  workers: Pick<WorkerStore, 'beat' | 'forget'>;
  about: Pick<WorkerBeat, 'id' | 'host' | 'pid' | 'version' | 'slots'>;
  load: () => Pick<WorkerBeat, 'slotsUsed' | 'lanes'>;
  clock: Clock;
  logger: Logger;
  everyMs?: number;
}): Heartbeat {
  let state: WorkerBeat['state'] = 'alive';
  let startedAtMs: number | null = null;
  let isBeating = false;
  let timer: NodeJS.Timeout | undefined;
  let stopped: Promise<void> | undefined;

  const beat = async (): Promise<void> => {
    // While Redis is away, only one heartbeat waits for it.
    if (isBeating) return;
    isBeating = true;
    try {
      startedAtMs = await workers.beat({ ...about, ...load(), state }, startedAtMs);
    } catch (error) {
      logger.debug({ reason: (error as Error).message }, 'heartbeat.failed');
    } finally {
      isBeating = false;
    }
  };
  const farewell = async (): Promise<void> => {
    clearInterval(timer);
    const tooLate = new AbortController();
    await Promise.race([
      workers.forget(about.id).catch(() => undefined),
      clock.sleep(FAREWELL_MS, tooLate.signal).catch(() => undefined),
    ]);
    tooLate.abort();
  };

  return {
    start: async () => {
      timer = setInterval(() => void beat(), everyMs);
      await beat();
    },
    announceStop: () => {
      state = 'stopping';
      void beat();
    },
    stop: async () => {
      stopped ??= farewell();
      await stopped;
    },
  };
}
