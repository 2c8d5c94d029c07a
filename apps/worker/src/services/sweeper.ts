import type { LaneQueues } from '@nightshift/shared/bullmq';
import type { Clock } from '@nightshift/shared/clock';
import type { AttemptStore, JobStore } from '@nightshift/shared/redis';
import type { Logger } from '@nightshift/shared/telemetry';

/** A retry, a run_at or an expiry is noticed at most this late. */
const SWEEP_MS = 200;
const TRIM_MS = 60_000;
const MOST_AT_ONCE = 500;
/** A sweeper that dies with entries in hand gives way after this. */
const HOLD_MS = 5000;

export interface Sweeper {
  start(): void;
  /** How many tenants have ever had a job, as of the last sweep. */
  readonly tenantCount: number;
  stop(): Promise<void>;
}

/**
 * Puts deliveries that are due into their queues (retries, `run_at`, and what a dying API left in the outbox), settles
 * jobs whose time is up, trims indexes. Every worker runs one; each step is a script that tolerates the others.
 */
export function createSweeper({
  attempts,
  jobs,
  queues,
  clock,
  logger,
}: {
  attempts: AttemptStore;
  jobs: JobStore;
  queues: LaneQueues;
  clock: Clock;
  logger: Logger;
}): Sweeper {
  const stopping = new AbortController();
  let running: Promise<void> | undefined;
  let trimAtMs = 0;
  let tenantCount = 0;

  const deliverDue = async (tenant: string): Promise<void> => {
    for (;;) {
      const due = await attempts.takeDue(tenant, MOST_AT_ONCE, HOLD_MS);
      const byQueue = Map.groupBy(due, ({ laneId, priority }) => `${laneId} ${priority}`);
      for (const group of byQueue.values()) {
        const [first] = group;
        if (first === undefined) continue;
        await queues.add(
          first.laneId,
          first.priority,
          group.map(({ deliveryId, tokens, others }) => ({ deliveryId, tenant, tokens, others })),
        );
        await jobs.confirmDeliveries(
          tenant,
          group.map(({ entry }) => entry),
        );
      }
      if (due.length < MOST_AT_ONCE) return;
    }
  };

  const sweep = async (): Promise<void> => {
    const trim = clock.monotonic() >= trimAtMs;
    if (trim) trimAtMs = clock.monotonic() + TRIM_MS;
    const tenants = await jobs.tenants();
    tenantCount = tenants.length;
    for (const tenant of tenants) {
      await deliverDue(tenant);
      const expired = await attempts.expireDue(tenant);
      if (expired > 0) logger.info({ count: expired }, 'jobs.expired');
      if (trim) await attempts.trimIndexes(tenant);
    }
  };

  const loop = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      try {
        await sweep();
      } catch (error) {
        logger.warn({ reason: (error as Error).message }, 'sweep.failed');
      }
      await clock.sleep(SWEEP_MS, stopping.signal).catch(() => undefined);
    }
  };

  return {
    start: () => {
      running ??= loop();
    },
    get tenantCount() {
      return tenantCount;
    },
    stop: async () => {
      stopping.abort();
      await running;
    },
  };
}
