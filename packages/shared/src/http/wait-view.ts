import { z } from 'zod';
import { waitReasons } from '../job/index.ts';
import type { Wait } from '../waiting/index.ts';

/** Why work is waiting: the same shape for jobs, batches and lanes. */
export const waitingForSchema = z.object({
  reason: z.enum(waitReasons),
  message: z.string().describe('the cause, the fix and the next try'),
  until: z.number().describe('unix seconds').nullable(),
});
export type WaitingFor = z.infer<typeof waitingForSchema>;

export function presentWait(wait: Wait | null): WaitingFor | null {
  if (wait === null) return null;
  const { reason, message, untilMs } = wait;
  // Rounded up, so that a caller who returns at this time is not too early.
  return { reason, message, until: untilMs === null ? null : Math.ceil(untilMs / 1000) };
}
