import { z } from 'zod';
import { waitReasons } from '../job/index.ts';

const unixSeconds = z.number().describe('unix seconds');

export const laneSchema = z
  .object({
    id: z.string(),
    object: z.literal('lane'),
    provider: z.string(),
    model: z.string(),
    state: z.enum(['open', 'cooling', 'paused', 'unreachable']),
    reason: z.enum(waitReasons).nullable(),
    message: z
      .string()
      .nullable()
      .describe('why its jobs wait, and the fix; null if they do not wait'),
    until: unixSeconds.nullable(),
    limits: z.object({
      requests_per_minute: z.number().nullable(),
      tokens_per_minute: z.number().nullable(),
      concurrency: z.number().nullable(),
      source: z.enum(['headers', 'config', 'learned', 'none']),
    }),
    pacing: z
      .object({
        remaining_requests: z.int().nullable(),
        remaining_tokens: z.int().nullable(),
        next_call_at: z
          .object({
            interactive: z.number().nullable(),
            bulk: z.number().nullable(),
          })
          .describe('unix seconds until which calls wait for the budget; null while none waits'),
        probing: z.boolean().describe('nobody has been answered yet: calls are let out slowly'),
      })
      .describe('what is believed of the limits now'),
    in_flight: z.int(),
    queued: z.object({ interactive: z.int(), bulk: z.int() }),
    calls_last_minute: z.int(),
    refused_last_minute: z.int(),
    last_refused_at: unixSeconds.nullable(),
  })
  .meta({ id: 'Lane' });
export type LaneView = z.infer<typeof laneSchema>;

export const laneListSchema = z
  .object({
    object: z.literal('list'),
    data: z.array(laneSchema),
    first_id: z.string().nullable(),
    last_id: z.string().nullable(),
    has_more: z.boolean(),
  })
  .meta({ id: 'LaneList' });

export const errorEnvelopeSchema = z
  .object({
    error: z.looseObject({
      message: z.string(),
      type: z.string(),
      param: z.string().nullable(),
      code: z.string().nullable(),
    }),
  })
  .meta({ id: 'Error' });
