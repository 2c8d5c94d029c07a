import { z } from 'zod';
import { batchSchema } from './batch-view.ts';

const cost = z.number().nullable();

/** Output tokens, and what they cost together with the input. */
const likely = z
  .object({ output_tokens: z.int(), cost_usd: cost.describe('null when a price is not known') })
  .describe('as long as earlier answers were, else as long as is assumed');
const atMost = z
  .object({ output_tokens: z.int().nullable(), cost_usd: cost })
  .describe('what the limits of the requests allow; null where a request sets none');
const unlimitedRequests = z.int().describe('requests that set no limit to their output');

const outputBasis = z.object({
  source: z
    .enum(['learned', 'assumed', 'mixed', 'none'])
    .describe('from earlier answers, from an assumption, both, or nothing is generated'),
  answers: z.int().describe('earlier answers that it is learned from'),
  message: z.string(),
});

const finishBasis = z.object({
  source: z
    .enum(['reached', 'limits', 'unknown', 'standing_still'])
    .describe(
      'the rate that was reached lately, the known limits; or no time can be told, and why',
    ),
  message: z.string(),
});

const modelEstimate = z.object({
  model: z.string(),
  requests: z.int(),
  input_tokens: z.int(),
  output_tokens: z.int(),
  cost_usd: cost,
  minutes: z.number().nullable().describe('null when it cannot be told, see `finish_basis`'),
  likely,
  at_most: atMost,
  unlimited_requests: unlimitedRequests,
  output_basis: outputBasis,
  finish_basis: finishBasis,
});

const warning = z.object({
  code: z.enum(['unknown_model', 'run_at_past']),
  message: z.string(),
  model: z.string().nullable(),
  suggestion: z.string().nullable().describe('the nearest model that is known'),
});

/** What `POST /v1/batches?dry_run=true` answers. */
export const batchDryRunSchema = z
  .object({
    object: z.literal('batch.dry_run'),
    endpoint: z.string(),
    completion_window: z.string(),
    valid: z.boolean().describe('whether the batch would start'),
    request_counts: z.object({
      total: z.int(),
      valid: z.int(),
      invalid: z.int(),
      duplicates: z.int().describe('valid ones whose body is identical to that of an earlier one'),
    }),
    errors: batchSchema.shape.errors,
    warnings: z.array(warning).describe('what would start and is probably not meant'),
    estimate: z.object({
      input_tokens: z.int(),
      output_tokens: z
        .int()
        .describe('the most that requests allow; where one sets no limit, a likely answer'),
      cost_usd: cost.describe('of these tokens; null when the price of a model is not known'),
      likely,
      at_most: atMost,
      known: z
        .object({ requests: z.int(), cost_usd: z.number() })
        .describe('the likely cost of the requests whose model has a price'),
      unlimited_requests: unlimitedRequests,
      output_basis: outputBasis,
      sampled: z.boolean().describe('beyond 10,000 requests every tenth was looked at'),
      finishes_at: z
        .number()
        .nullable()
        .describe('unix seconds; null when it cannot be told, see `finish_basis`'),
      finish_basis: finishBasis,
      expires_at: z.number(),
      in_time: z.boolean().nullable(),
      models: z.array(modelEstimate),
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
