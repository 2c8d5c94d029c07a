import type { Clock } from '@nightshift/shared/clock';
import { BEAT_EVERY_MS, type WorkerBeat } from '@nightshift/shared/fleet';
import type { WorkerStore } from '@nightshift/shared/redis';
import type { Logger } from '@nightshift/shared/telemetry';

/**
 * Tells the fleet every few seconds that this process is alive. It runs in the thread that makes the calls: when that one is
 * blocked or frozen the beats stop, as they should.
 */
export interface Heartbeat {
  /** Resolves after the first beat. */
  start(): Promise<void>;
  /** This worker takes no more jobs. */
  announceStop(): void;
  /** Takes this worker off the list, if Redis answers soon. Can be called twice. */
  stop(): Promise<void>;
}

/** A worker that stops while Redis is away becomes silent there, and then forgotten. */
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
    // While Redis is away one beat waits for it, not one for every few seconds.
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
