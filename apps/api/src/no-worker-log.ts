import type { Clock } from '@nightshift/shared/clock';
import type { BatchStore, JobStore, WorkerStore } from '@nightshift/shared/redis';
import type { Logger } from '@nightshift/shared/telemetry';
import { noWorkerWait } from '@nightshift/shared/waiting';

const LOOK_EVERY_MS = 5000;
/** Workers may start after the API, so only log after three reads without one. */
const LOOKS = 3;

export interface NoWorkerLog {
  /** Can be called twice. */
  stop(): void;
}

/** Logs once when work is open and no worker is alive, and once when one is alive again. */
export function startNoWorkerLog({
  workers,
  jobs,
  batches,
  clock,
  logger,
  everyMs = LOOK_EVERY_MS,
}: {
  workers: Pick<WorkerStore, 'all'>;
  jobs: Pick<JobStore, 'tenants' | 'counts'>;
  batches: Pick<BatchStore, 'open'>;
  clock: Clock;
  logger: Logger;
  everyMs?: number;
}): NoWorkerLog {
  const stopping = new AbortController();
  let isHeldUp = false;
  let looksWithout = 0;

  const isWorkOpen = async (): Promise<boolean> => {
    for (const tenant of await jobs.tenants()) {
      const [counts, open] = await Promise.all([jobs.counts(tenant), batches.open(tenant)]);
      if ((counts.queued ?? 0) + (counts.in_progress ?? 0) + open.length > 0) return true;
    }
    return false;
  };
  const look = async (): Promise<void> => {
    const wait = noWorkerWait(await workers.all());
    if (wait === null) {
      if (isHeldUp) logger.warn('workers.alive_again');
      isHeldUp = false;
      looksWithout = 0;
      return;
    }
    looksWithout += 1;
    if (!isHeldUp && looksWithout >= LOOKS && (await isWorkOpen())) {
      isHeldUp = true;
      logger.warn({ reason: wait.reason, message: wait.message }, 'workers.none_alive');
    }
  };
  const loop = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      // The connection logs when Redis is away.
      await look().catch((error: unknown) => {
        logger.debug({ reason: (error as Error).message }, 'workers.not_read');
      });
      await clock.sleep(everyMs, stopping.signal).catch(() => undefined);
    }
  };
  void loop();
  return {
    stop: () => {
      stopping.abort();
    },
  };
}
