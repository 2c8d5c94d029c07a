import { z } from 'zod';
import { batchSchema } from './batch-view.ts';

const cost = z.number().nullable();

/** Output tokens, and the cost of input and output. */
const likely = z
  .object({ output_tokens: z.int(), cost_usd: cost.describe('null when a price is not known') })
  .describe('from the lengths of earlier answers, else from an assumed length');
const atMost = z
  .object({ output_tokens: z.int().nullable(), cost_usd: cost })
  .describe('the most that the limits of the requests allow; null if a request sets none');
const unlimitedRequests = z.int().describe('requests that set no output limit');

const outputBasis = z.object({
  source: z
    .enum(['learned', 'assumed', 'mixed', 'none'])
    .describe('earlier answers, an assumption, both, or no output'),
  answers: z.int().describe('number of earlier answers that the estimate uses'),
  message: z.string(),
});

const finishBasis = z.object({
  source: z
    .enum(['reached', 'limits', 'unknown', 'standing_still'])
    .describe('the measured throughput, the known limits, or the reason why there is no estimate'),
  message: z.string(),
});

const modelEstimate = z.object({
  model: z.string(),
  requests: z.int(),
  input_tokens: z.int(),
  output_tokens: z.int(),
  cost_usd: cost,
  minutes: z.number().nullable().describe('null when it cannot be estimated, see `finish_basis`'),
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
      duplicates: z.int().describe('valid requests whose body equals that of an earlier one'),
    }),
    errors: batchSchema.shape.errors,
    warnings: z.array(warning).describe('valid input that is probably a mistake'),
    estimate: z.object({
      input_tokens: z.int(),
      output_tokens: z
        .int()
        .describe('the limits of the requests; the likely length for those without one'),
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
        .describe('unix seconds; null when it cannot be estimated, see `finish_basis`'),
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
