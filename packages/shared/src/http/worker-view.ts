import { z } from 'zod';
import { workerStates, type FleetWorker } from '../fleet/index.ts';

const unixSeconds = z.number().describe('unix seconds');

export const workerSchema = z
  .object({
    id: z.string(),
    object: z.literal('worker'),
    host: z.string(),
    pid: z.int(),
    version: z.string(),
    started_at: unixSeconds,
    last_seen_at: unixSeconds,
    state: z
      .enum(workerStates)
      .describe(
        '`silent`: no heartbeat for 12 s, so frozen, dead or cut off from Redis; `stopping`: finishes its calls and takes no more',
      ),
    slots: z.int().describe('maximum concurrent calls, WORKER_CONCURRENCY'),
    slots_used: z.int().describe('at its last heartbeat'),
    lanes: z.int().describe('number of lanes that it serves'),
  })
  .meta({ id: 'Worker' });
export type WorkerView = z.infer<typeof workerSchema>;

export const workerListSchema = z
  .object({
    object: z.literal('list'),
    data: z.array(workerSchema),
    first_id: z.string().nullable(),
    last_id: z.string().nullable(),
    has_more: z.boolean(),
  })
  .meta({ id: 'WorkerList' });

export function presentWorker(worker: FleetWorker): WorkerView {
  return {
    id: worker.id,
    object: 'worker',
    host: worker.host,
    pid: worker.pid,
    version: worker.version,
    started_at: Math.floor(worker.startedAtMs / 1000),
    last_seen_at: Math.floor(worker.lastSeenAtMs / 1000),
    state: worker.state,
    slots: worker.slots,
    slots_used: worker.slotsUsed,
    lanes: worker.lanes,
  };
}
