import { Queue, type RedisClient } from 'bullmq';
import { priorities, type Priority, type TokenCounts } from '../job/index.ts';
import type { FairShare, Keys, RedisConnection } from '../redis/index.ts';
import { gatherQueueScripts } from './gather-scripts.ts';

/** What a BullMQ job carries; its id is the delivery id, `JOB_ID.NUMBER`. The truth is in the record. */
export interface DeliveryData {
  v: 1;
  tenant: string;
  /** For the worker that reserves its call. */
  tokens?: TokenCounts;
}

export interface Delivery {
  deliveryId: string;
  tenant: string;
  tokens: TokenCounts | null;
  /** What shares the lane as one: a batch, or by default all of a tenant's single jobs. */
  flow?: string;
}

/** Larger pieces hold up the other commands of the connection. */
const MOST_AT_ONCE = 500;

/** Options of every BullMQ object of a lane: its own prefix, and with it its own hash tag. */
export function laneQueueOptions(keys: Keys, laneId: string, redis: RedisConnection) {
  gatherQueueScripts(redis);
  return { prefix: keys.lane(laneId).queues, connection: redis as unknown as RedisClient };
}

export interface QueueCounts {
  queued: Record<Priority, number>;
  inFlight: number;
}

export type LaneQueues = ReturnType<typeof createLaneQueues>;

/** The two queues of each lane, opened when first used and kept. */
export function createLaneQueues({
  redis,
  keys,
  share = () => null,
}: {
  redis: RedisConnection;
  keys: Keys;
  /** How a queue is shared; null for first come, first served. */
  share?: (priority: Priority) => FairShare | null;
}) {
  const queues = new Map<string, Queue<DeliveryData>>();
  const queueOf = (laneId: string, priority: Priority): Queue<DeliveryData> => {
    const name = `${laneId} ${priority}`;
    let queue = queues.get(name);
    if (queue === undefined) {
      queue = new Queue<DeliveryData>(priority, {
        ...laneQueueOptions(keys, laneId, redis),
        // The events stream is not read by anyone here; without a bound it keeps 10,000 entries for each queue.
        streams: { events: { maxLen: 10 } },
        skipMetasUpdate: false,
      });
      queue.on('error', () => {
        // The connection is shared and reports for itself.
      });
      queues.set(name, queue);
    }
    return queue;
  };

  return {
    /** Puts deliveries into a lane's queue. One that stands there already is left as it is. */
    add: async (
      laneId: string,
      priority: Priority,
      deliveries: readonly Delivery[],
    ): Promise<void> => {
      const queue = queueOf(laneId, priority);
      for (let from = 0; from < deliveries.length; from += MOST_AT_ONCE) {
        const page = deliveries.slice(from, from + MOST_AT_ONCE);
        const places = await share(priority)?.places(laneId, priority, page);
        // Not addBulk: its pipeline would keep them single.
        await Promise.all(
          page.map(async ({ deliveryId, tenant, tokens }, at) =>
            queue.add(
              'job',
              { v: 1, tenant, ...(tokens !== null && { tokens }) },
              { jobId: deliveryId, ...(places !== undefined && { priority: places[at] ?? 1 }) },
            ),
          ),
        );
      }
    },

    counts: async (laneId: string): Promise<QueueCounts> => {
      const [interactive, bulk] = await Promise.all(
        priorities.map(async (priority) =>
          queueOf(laneId, priority).getJobCounts('waiting', 'prioritized', 'active'),
        ),
      );
      const waiting = (counts: typeof bulk): number =>
        (counts?.['waiting'] ?? 0) + (counts?.['prioritized'] ?? 0);
      return {
        queued: { interactive: waiting(interactive), bulk: waiting(bulk) },
        inFlight: (interactive?.['active'] ?? 0) + (bulk?.['active'] ?? 0),
      };
    },

    /** Puts the deliveries that a dead BullMQ worker holds back to the head of their queue. Resolves to how many. */
    returnHeldBy: async (
      laneId: string,
      priority: Priority,
      bullWorkerId: string,
    ): Promise<number> => {
      const queue = queueOf(laneId, priority);
      let returned = 0;
      for (const job of await queue.getActive()) {
        const token = await redis.get(`${queue.toKey(job.id ?? '')}:lock`);
        // Each lock holds the token of the take: the worker's id and a number.
        if (token?.startsWith(`${bullWorkerId}:`) !== true) continue;
        await job.moveToWait(token);
        returned += 1;
      }
      return returned;
    },

    close: async (): Promise<void> => {
      await Promise.all([...queues.values()].map(async (queue) => queue.close()));
      queues.clear();
    },
  };
}
