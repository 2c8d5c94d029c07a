import { createLaneQueues, createRedelivery } from '@nightshift/shared/bullmq';
import { laneStanding } from '@nightshift/shared/lane';
import { laneWait } from '@nightshift/shared/waiting';
import {
  createJobStore,
  createKeys,
  createLaneStore,
  loadScripts,
  type RedisConnection,
} from '@nightshift/shared/redis';
import type { WorkerView } from '../bulk/operator-views.ts';
import { count } from '../bulk/format.ts';
import { mended, note, ok, type Check } from './check.ts';
import type { LaneLook } from './check-work.ts';

export interface RedisWork {
  /** Finds jobs that are in no queue any more, and requeues them. */
  mend(workers: readonly WorkerView[] | null): Promise<Check>;
  /** The lanes as read from Redis, for when the API does not return them. */
  lanes(): Promise<LaneLook[]>;
  close(): Promise<void>;
}

/** What the doctor does directly in Redis, since the API may be away. */
export function createRedisWork(
  redis: RedisConnection,
  {
    keyPrefix,
    retentionMs,
    maxLanes,
  }: { keyPrefix: string; retentionMs: number; maxLanes: number },
): RedisWork {
  const keys = createKeys(keyPrefix);
  const run = loadScripts(redis);
  const queues = createLaneQueues({ redis, keys });
  const jobs = createJobStore({ redis, run, keys, retentionMs });
  const lanes = createLaneStore({ redis, run, keys, maxLanes });
  const redelivery = createRedelivery({ redis, run, keys, jobs, queues });
  return {
    mend: async (workers) => {
      try {
        return judgeDeliveries(await redelivery.redeliverLost(isDead(workers)));
      } catch (error) {
        return note('deliveries', `not checked: ${(error as Error).message}`);
      }
    },
    lanes: async () =>
      await Promise.all(
        (await lanes.all()).map(async (lane): Promise<LaneLook> => {
          const state = await lanes.state(lane.id);
          const wait = laneWait(lane, state, { quotes: false });
          return {
            ...{ id: lane.id, provider: lane.provider, model: lane.model },
            state: laneStanding(state).state,
            reason: wait?.reason ?? null,
            message: wait?.message ?? null,
          };
        }),
      ),
    close: async () => await queues.close(),
  };
}

/**
 * Whether the worker that holds a claim is dead. If the alive workers are unknown, or their ids are not of the kind that claims
 * name, no worker counts as dead: its job would be called twice.
 */
export function isDead(workers: readonly WorkerView[] | null): (workerId: string) => boolean {
  if (workers === null || workers.some(({ id }) => !id.startsWith('worker_'))) return () => false;
  const alive = new Set(workers.filter(({ state }) => state !== 'silent').map(({ id }) => id));
  return (workerId) => workerId !== '' && !alive.has(workerId);
}

export function judgeDeliveries({
  open,
  redelivered,
}: {
  open: number;
  redelivered: number;
}): Check {
  if (redelivered === 0) {
    return ok('deliveries', `${count(open)} jobs are open, each in a queue or on its way to one`);
  }
  const jobs = redelivered === 1 ? '1 job' : `${count(redelivered)} jobs`;
  return mended(
    'deliveries',
    `${jobs} ${redelivered === 1 ? 'was' : 'were'} missing from the queues (somebody deleted keys in Redis) and ${redelivered === 1 ? 'was' : 'were'} requeued`,
  );
}
