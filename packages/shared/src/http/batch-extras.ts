import { z } from 'zod';
import { batchSchema } from './batch-view.ts';

const tokens = z.object({
  model: z.string(),
  requests: z.int(),
  input_tokens: z.int(),
  output_tokens: z.int(),
  cost_usd: z.number().nullable(),
  minutes: z.number().nullable().describe('at the limits that are known; null when none are'),
});

/** What `POST /v1/batches?dry_run=true` answers. */
export const batchDryRunSchema = z
  .object({
    object: z.literal('batch.dry_run'),
    endpoint: z.string(),
    completion_window: z.string(),
    valid: z.boolean().describe('whether the batch would start'),
    request_counts: z.object({ total: z.int(), valid: z.int(), invalid: z.int() }),
    errors: batchSchema.shape.errors,
    estimate: z.object({
      input_tokens: z.int(),
      output_tokens: z
        .int()
        .describe('the most that requests allow; where one sets no limit, a usual answer'),
      cost_usd: z.number().nullable().describe('null when the price of a model is not known'),
      sampled: z.boolean().describe('beyond 10,000 requests every tenth was looked at'),
      finishes_at: z.number().nullable().describe('unix seconds; null when a limit is not known'),
      expires_at: z.number(),
      in_time: z.boolean().nullable(),
      models: z.array(tokens),
    }),
  })
  .meta({ id: 'BatchDryRun' });
export type BatchDryRun = z.infer<typeof batchDryRunSchema>;

const errorGroupSchema = z.object({
  code: z.string(),
  status_code: z.int().nullable().describe("the provider's; null where there was no answer"),
  message: z.string().describe('of the first of them'),
  count: z.int(),
  first_seen: z.int().nullable().describe('line of the error file, of the input if that is wrong'),
  last_seen: z.int().nullable(),
  custom_ids: z.array(z.string()).describe('the first few'),
});
export type BatchErrorGroup = z.infer<typeof errorGroupSchema>;

/** What `GET /v1/batches/ID/errors` answers. */
export const batchErrorsSchema = z
  .object({
    object: z.literal('list'),
    data: z.array(errorGroupSchema),
    count: z.int().describe('all of them, over all groups'),
  })
  .meta({ id: 'BatchErrors' });
export type BatchErrors = z.infer<typeof batchErrorsSchema>;
