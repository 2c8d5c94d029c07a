import { Queue, type RedisClient } from 'bullmq';
import {
  bundleId,
  bundleSize,
  priorities,
  type CountedDelivery,
  type Priority,
  type TokenCounts,
} from '../job/index.ts';
import type { FairShare, Keys, RedisConnection } from '../redis/index.ts';
import { gatherQueueScripts } from './gather-scripts.ts';

/** What a BullMQ job carries; its id is the delivery id, `JOB_ID.NUMBER`. The truth is in the record. */
export interface DeliveryData {
  v: 1;
  tenant: string;
  /** For the worker that reserves its call. */
  tokens?: TokenCounts;
  /** The deliveries of a bundle, all of them; its id is `bundleId` of theirs. */
  bundle?: readonly (readonly [deliveryId: string, tokens: TokenCounts | null])[];
}

export interface Delivery extends CountedDelivery {
  tenant: string;
  /** What shares the lane as one: a batch, or by default all of a tenant's single jobs. */
  flow?: string;
  /** Those that travel with it as a bundle, for the same lane. */
  others?: readonly CountedDelivery[];
}

/** Larger pieces hold up the other commands of the connection. */
const MOST_AT_ONCE = 500;

/** Of longer queues the rest counts as bundles of the same average size. */
const LAST_COUNTED = '999';

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
          page.map(async (delivery, at) =>
            queue.add('job', dataOf(delivery), {
              jobId: bundleId(idsOf(delivery)),
              ...(places !== undefined && { priority: places[at] ?? 1 }),
            }),
          ),
        );
      }
    },

    counts: async (laneId: string): Promise<QueueCounts> => {
      const [interactive, bulk] = await Promise.all(
        priorities.map(async (priority) => {
          const queue = queueOf(laneId, priority);
          const counts = await queue.getJobCounts('waiting', 'prioritized', 'active');
          const [waiting, prioritized, active] = await Promise.all([
            redis.lrange(queue.toKey('wait'), 0, LAST_COUNTED),
            redis.zrange(queue.toKey('prioritized'), 0, LAST_COUNTED),
            redis.lrange(queue.toKey('active'), 0, LAST_COUNTED),
          ]);
          const { waiting: waits = 0, prioritized: places = 0, active: runs = 0 } = counts;
          return {
            queued: deliveriesIn(waits, waiting) + deliveriesIn(places, prioritized),
            inFlight: deliveriesIn(runs, active),
          };
        }),
      );
      return {
        queued: { interactive: interactive?.queued ?? 0, bulk: bulk?.queued ?? 0 },
        inFlight: (interactive?.inFlight ?? 0) + (bulk?.inFlight ?? 0),
      };
    },

    /** Every delivery of a lane that is queued or active, including those in bundles. */
    deliveries: async (laneId: string): Promise<Set<string>> => {
      const found = new Set<string>();
      for (const priority of priorities) {
        const queue = queueOf(laneId, priority);
        // In one transaction: an entry that moves from one list to another must not be missed.
        const lists = await redis
          .multi()
          .lrange(queue.toKey('wait'), 0, -1)
          .lrange(queue.toKey('paused'), 0, -1)
          .lrange(queue.toKey('active'), 0, -1)
          .zrange(queue.toKey('prioritized'), '0', '-1')
          .zrange(queue.toKey('delayed'), '0', '-1')
          .exec();
        const entries = (lists ?? []).flatMap(([, ids]) => ids as string[]);
        for (let from = 0; from < entries.length; from += MOST_AT_ONCE) {
          const page = entries.slice(from, from + MOST_AT_ONCE);
          await Promise.all(
            page.map(async (id) => {
              // An entry without its data cannot be called.
              const data = await redis.hget(queue.toKey(id), 'data');
              for (const one of data === null ? [] : deliveriesOf(id, data)) found.add(one);
            }),
          );
        }
      }
      return found;
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

function idsOf({ deliveryId, others = [] }: Delivery): string[] {
  return [deliveryId, ...others.map((other) => other.deliveryId)];
}

function dataOf({ deliveryId, tenant, tokens, others }: Delivery): DeliveryData {
  if (others === undefined || others.length === 0) {
    return { v: 1, tenant, ...(tokens !== null && { tokens }) };
  }
  const all = [{ deliveryId, tokens }, ...others];
  return { v: 1, tenant, bundle: all.map((each) => [each.deliveryId, each.tokens]) };
}

/** The deliveries in a queue entry. */
function deliveriesOf(id: string, data: string): string[] {
  const { bundle } = JSON.parse(data) as DeliveryData;
  return bundle === undefined ? [id] : bundle.map(([deliveryId]) => deliveryId);
}

/** How many deliveries a list of a queue holds, of which these are the first entries. */
function deliveriesIn(entries: number, first: readonly string[]): number {
  if (first.length === 0) return entries;
  const deliveries = first.reduce((sum, id) => sum + bundleSize(id), 0);
  return Math.round((deliveries * Math.max(entries, first.length)) / first.length);
}
