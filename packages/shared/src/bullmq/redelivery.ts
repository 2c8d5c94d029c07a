import { deliveryId } from '../job/index.ts';
import type { JobStore, Keys, RedisConnection, RunScript } from '../redis/index.ts';
import type { LaneQueues } from './lane-queues.ts';

export interface RedeliveryResult {
  /** Jobs that are not settled: single ones, and lines of batches that were fed. */
  open: number;
  /** How many of these had lost their delivery and were requeued through the outbox. */
  redelivered: number;
}

/** The fields of a record that tell whether its delivery is lost. */
interface OpenJob {
  id: string;
  delivery: string;
  laneId: string;
  /** Generation of the claim that a dead worker holds; '' for a queued job. */
  generation: string;
}

const PAGE = 500;
const MOST_IN_CALL = 100;
const FIELDS = ['status', 'delivery', 'lane', 'generation', 'worker', 'created_at'] as const;

/**
 * Finds jobs whose delivery is neither in the outbox nor in a queue, because somebody deleted BullMQ's keys, and requeues them.
 * Safe while everything else runs, and concurrently with itself. A delivery only moves from the outbox into its queue, so
 * records are read first, the outbox second and the queues last. redeliver-jobs.lua skips jobs that changed meanwhile.
 */
export function createRedelivery({
  redis,
  run,
  keys,
  jobs,
  queues,
}: {
  redis: RedisConnection;
  run: RunScript;
  keys: Keys;
  jobs: JobStore;
  queues: LaneQueues;
}) {
  const readPage = async (
    tenant: string,
    ids: readonly string[],
    isWorkerDead: (workerId: string) => boolean,
  ) =>
    (
      await Promise.all(
        ids.map(async (id) => {
          const read = await redis.hmget(keys.tenant(tenant).job(id), ...FIELDS);
          const [status, delivery, laneId, generation, worker, createdAt] = read;
          const isQueued = status === 'queued';
          if (delivery == null || laneId == null) return null;
          if (!isQueued && status !== 'in_progress') return null;
          const isHeld = !isQueued && !isWorkerDead(worker ?? '');
          const job = { id, delivery, laneId, generation: isQueued ? '' : (generation ?? '') };
          return { job, isHeld, createdAtMs: Number(createdAt) };
        }),
      )
    ).filter((found) => found !== null);

  /** Pages of single jobs, newest first. The caller stops once it has found as many open jobs as were counted. */
  const idsOfJobs = async function* (tenant: string): AsyncGenerator<string[]> {
    for (let from = 0; ; from += PAGE) {
      const ids = await redis.zrevrange(keys.tenant(tenant).jobs, from, from + PAGE - 1);
      yield ids;
      if (ids.length < PAGE) return;
    }
  };
  const idsOfLines = async (tenant: string): Promise<string[]> => {
    const of = keys.tenant(tenant);
    const batches = await redis.smembers(of.openBatches);
    return (
      await Promise.all(batches.map(async (id) => redis.smembers(of.batchWindow(id))))
    ).flat();
  };

  const openJobsOf = async (tenant: string, isWorkerDead: (workerId: string) => boolean) => {
    const found = new Map<string, OpenJob>();
    let open = 0;
    const [seconds] = await redis.time();
    const startedMs = Number(seconds) * 1000;
    const counts = await jobs.counts(tenant);
    let left = (counts.queued ?? 0) + (counts.in_progress ?? 0);
    for await (const ids of idsOfJobs(tenant)) {
      if (left <= 0) break;
      for (const { job, isHeld, createdAtMs } of await readPage(tenant, ids, isWorkerDead)) {
        open += 1;
        // A job accepted since the start is not in the counts.
        if (createdAtMs < startedMs) left -= 1;
        if (!isHeld) found.set(job.id, job);
      }
    }
    const lines = await idsOfLines(tenant);
    for (let from = 0; from < lines.length; from += PAGE) {
      const page = lines.slice(from, from + PAGE);
      for (const { job, isHeld } of await readPage(tenant, page, isWorkerDead)) {
        open += 1;
        if (!isHeld) found.set(job.id, job);
      }
    }
    return { open, candidates: [...found.values()] };
  };

  const inOutbox = async (tenant: string): Promise<Set<string>> => {
    const found = new Set<string>();
    let cursor = '0';
    do {
      const [next, flat] = await redis.zscan(keys.tenant(tenant).outbox, cursor, 'COUNT', PAGE);
      for (let at = 0; at < flat.length; at += 2) {
        for (const id of (flat[at] ?? '').split(' ')) found.add(id);
      }
      cursor = next;
    } while (cursor !== '0');
    return found;
  };

  const redeliver = async (tenant: string, lost: readonly OpenJob[]): Promise<number> => {
    const of = keys.tenant(tenant);
    let redelivered = 0;
    for (let from = 0; from < lost.length; from += MOST_IN_CALL) {
      const page = lost.slice(from, from + MOST_IN_CALL);
      const replies = (await run(
        'redeliver-jobs',
        [of.counts, of.outbox, ...page.map(({ id }) => of.job(id))],
        [
          ...[keys.channels.events, tenant],
          ...page.flatMap(({ id, delivery, generation }) => [id, delivery, generation]),
        ],
      )) as [string][];
      redelivered += replies.filter(([kind]) => kind === 'redelivered').length;
    }
    return redelivered;
  };

  return {
    /**
     * Checks all tenants. Can be repeated.
     * @param isWorkerDead whether the worker that holds a claim is dead. It must return false if that is not known, since the job
     *   of a worker that lives would be called twice
     */
    redeliverLost: async (
      isWorkerDead: (workerId: string) => boolean,
    ): Promise<RedeliveryResult> => {
      const total = { open: 0, redelivered: 0 };
      for (const tenant of await jobs.tenants()) {
        const { open, candidates } = await openJobsOf(tenant, isWorkerDead);
        total.open += open;
        if (candidates.length === 0) continue;
        const waiting = await inOutbox(tenant);
        const missing = candidates.filter((job) => !waiting.has(idOf(job)));
        const lost: OpenJob[] = [];
        for (const [laneId, own] of Map.groupBy(missing, (job) => job.laneId)) {
          const standing = await queues.deliveries(laneId);
          lost.push(...own.filter((job) => !standing.has(idOf(job))));
        }
        total.redelivered += await redeliver(tenant, lost);
      }
      return total;
    },
  };
}

const idOf = ({ id, delivery }: OpenJob): string => deliveryId(id, Number(delivery));
