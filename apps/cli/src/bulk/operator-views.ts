import { batchSchema } from '@nightshift/shared/http';
import { z } from 'zod';

/** Why work is waiting. A reason that this command does not know is shown as it is. */
const waitingForSchema = z.object({
  reason: z.string(),
  message: z.string(),
  until: z.number().nullable(),
});
export type WaitingView = z.infer<typeof waitingForSchema>;

/** A listed batch. An older API does not return `waiting_for`. */
const listedBatchSchema = batchSchema.extend({ waiting_for: waitingForSchema.nullish() });
export type ListedBatch = z.infer<typeof listedBatchSchema>;

export const batchPageSchema = z.object({
  data: z.array(listedBatchSchema),
  last_id: z.string().nullable(),
  has_more: z.boolean(),
});
export type BatchPageView = z.infer<typeof batchPageSchema>;

const unixSeconds = z.number().nullable();

const workerSchema = z.object({
  id: z.string(),
  object: z.literal('worker'),
  host: z.string(),
  pid: z.number(),
  version: z.string(),
  started_at: unixSeconds,
  last_seen_at: unixSeconds,
  state: z.enum(['alive', 'silent', 'stopping']),
  slots: z.number(),
  slots_used: z.number(),
  /** Their number, or a list. */
  lanes: z.union([z.number(), z.array(z.unknown())]),
});
export type WorkerView = z.infer<typeof workerSchema>;

export const workerListSchema = z.object({ data: z.array(workerSchema) });

export const laneCountOf = ({ lanes }: WorkerView): number =>
  typeof lanes === 'number' ? lanes : lanes.length;
