import { outboxEntry, type Priority } from '../job/index.ts';
import type { JobStore } from '../redis/index.ts';
import type { Logger } from '../telemetry/index.ts';
import type { Delivery, LaneQueues } from './lane-queues.ts';

export interface DeliveryBuffer {
  /** Puts an accepted job on its way. Does not wait: the outbox stands for it until its queue has it. */
  push(laneId: string, priority: Priority, delivery: Delivery): void;
  /** Resolves when nothing is on its way. */
  drain(): Promise<void>;
}

/**
 * Gathers what is accepted while the last calls are under way into the next, for each queue, and confirms it to the
 * outbox afterwards; an idle buffer sends at once. What fails stays in the outbox, and a worker's sweep delivers it some seconds later.
 */
export function createDeliveryBuffer({
  queues,
  jobs,
  logger,
}: {
  queues: LaneQueues;
  jobs: JobStore;
  logger: Logger;
}): DeliveryBuffer {
  let pending = new Map<string, { laneId: string; priority: Priority; deliveries: Delivery[] }>();
  const underway = new Set<Promise<void>>();

  const flush = (): void => {
    const batches = pending;
    pending = new Map();
    const work = Promise.all([...batches.values()].map(deliver)).then(() => {
      underway.delete(work);
      if (pending.size > 0 && underway.size === 0) flush();
    });
    underway.add(work);
  };
  const deliver = async ({
    laneId,
    priority,
    deliveries,
  }: {
    laneId: string;
    priority: Priority;
    deliveries: Delivery[];
  }): Promise<void> => {
    try {
      await queues.add(laneId, priority, deliveries);
      const byTenant = Map.groupBy(deliveries, ({ tenant }) => tenant);
      for (const [tenant, own] of byTenant) {
        await jobs.confirmDeliveries(
          tenant,
          own.map(({ deliveryId, others = [] }) =>
            outboxEntry([deliveryId, ...others.map((other) => other.deliveryId)]),
          ),
        );
      }
    } catch (error) {
      logger.warn(
        { laneId, count: deliveries.length, reason: (error as Error).message },
        'delivery.postponed',
      );
    }
  };

  return {
    push: (laneId, priority, delivery) => {
      if (pending.size === 0 && underway.size === 0) setImmediate(flush);
      const key = `${laneId} ${priority}`;
      const batch = pending.get(key);
      if (batch === undefined) pending.set(key, { laneId, priority, deliveries: [delivery] });
      else batch.deliveries.push(delivery);
    },
    drain: async () => {
      while (pending.size > 0 || underway.size > 0) {
        await Promise.all(underway);
        if (pending.size > 0) await new Promise((resolve) => setImmediate(resolve));
      }
    },
  };
}
