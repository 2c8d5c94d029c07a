import { z } from 'zod';
import { batchStatuses, type Batch } from '../batch/index.ts';
import { endpoints } from '../job/index.ts';
import { waitingForSchema, type WaitingFor } from './wait-view.ts';

const unixSeconds = z.number().describe('unix seconds');
const instant = unixSeconds.nullable();

export const batchSchema = z
  .object({
    id: z.string(),
    object: z.literal('batch'),
    endpoint: z.enum(endpoints),
    model: z.string().nullable().describe('null while unknown, or when there are several'),
    errors: z
      .object({
        object: z.literal('list'),
        data: z.array(
          z.object({
            code: z.string(),
            message: z.string(),
            param: z.string().nullable(),
            line: z.int().nullable(),
          }),
        ),
        count: z.int(),
      })
      .nullable()
      .describe('what is wrong with the input: the first 1,000, and how many there are'),
    input_file_id: z.string(),
    completion_window: z.string(),
    status: z.enum(batchStatuses),
    output_file_id: z.string().nullable(),
    error_file_id: z.string().nullable(),
    created_at: unixSeconds,
    in_progress_at: instant,
    expires_at: unixSeconds,
    finalizing_at: instant,
    completed_at: instant,
    failed_at: instant,
    expired_at: instant,
    cancelling_at: instant,
    cancelled_at: instant,
    request_counts: z.object({ total: z.int(), completed: z.int(), failed: z.int() }),
    usage: z.object({
      input_tokens: z.int(),
      input_tokens_details: z.object({ cached_tokens: z.int() }),
      output_tokens: z.int(),
      output_tokens_details: z.object({ reasoning_tokens: z.int() }),
      total_tokens: z.int(),
    }),
    metadata: z.record(z.string(), z.string()).nullable(),
    paused: z.boolean(),
    run_at: instant,
    quiet_hours: z.object({ start: z.string(), end: z.string(), time_zone: z.string() }).nullable(),
    retry_of: z.string().nullable(),
    cost_usd: z.number().nullable().describe('null when the price of a model is not known'),
    waiting_for: waitingForSchema
      .nullable()
      .describe('why most of its open lines wait; null while lines settle'),
  })
  .meta({ id: 'Batch' });
export type BatchView = z.infer<typeof batchSchema>;

export const batchListSchema = z
  .object({
    object: z.literal('list'),
    data: z.array(batchSchema),
    first_id: z.string().nullable(),
    last_id: z.string().nullable(),
    has_more: z.boolean(),
  })
  .meta({ id: 'BatchList' });

/** A batch as OpenAI shows one, every field always there, and what Nightshift knows besides. */
export function presentBatch(batch: Batch, waitingFor: WaitingFor | null): BatchView {
  const { errors, usage, quietHours } = batch;
  return {
    id: batch.id,
    object: 'batch',
    endpoint: batch.endpoint,
    model: batch.model,
    errors: errors && {
      object: 'list',
      data: errors.map(({ code, message, param, line }) => ({ code, message, param, line })),
      count: batch.errorCount,
    },
    input_file_id: batch.inputFileId,
    completion_window: batch.completionWindow,
    status: batch.status,
    output_file_id: batch.outputFileId,
    error_file_id: batch.errorFileId,
    created_at: wholeSeconds(batch.createdAtMs),
    in_progress_at: secondsOrNull(batch.inProgressAtMs),
    expires_at: wholeSeconds(batch.expiresAtMs),
    finalizing_at: secondsOrNull(batch.finalizingAtMs),
    completed_at: secondsOrNull(batch.completedAtMs),
    failed_at: secondsOrNull(batch.failedAtMs),
    expired_at: secondsOrNull(batch.expiredAtMs),
    cancelling_at: secondsOrNull(batch.cancellingAtMs),
    cancelled_at: secondsOrNull(batch.cancelledAtMs),
    request_counts: {
      total: batch.counts.total,
      completed: batch.counts.completed,
      failed: batch.counts.failed,
    },
    usage: {
      input_tokens: usage.inputTokens,
      input_tokens_details: { cached_tokens: usage.cachedInputTokens },
      output_tokens: usage.outputTokens,
      output_tokens_details: { reasoning_tokens: usage.reasoningTokens },
      total_tokens: usage.totalTokens,
    },
    metadata: batch.metadata,
    paused: batch.paused,
    run_at: secondsOrNull(batch.runAtMs),
    quiet_hours: quietHours && {
      start: quietHours.start,
      end: quietHours.end,
      time_zone: quietHours.timeZone,
    },
    retry_of: batch.retryOf,
    cost_usd: batch.costUsd,
    waiting_for: waitingFor,
  };
}

function wholeSeconds(ms: number): number {
  return Math.floor(ms / 1000);
}

function secondsOrNull(ms: number | null): number | null {
  return ms === null ? null : wholeSeconds(ms);
}
