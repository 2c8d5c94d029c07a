import { z } from 'zod';
import { endpoints, jobStatuses, priorities, type Job } from '../job/index.ts';
import { waitingForSchema, type WaitingFor } from './wait-view.ts';

const unixSeconds = z.number().describe('unix seconds');

/** A job as the API shows it. Kept for the document and the tests; answers are written by `jobToJson`. */
export const jobSchema = z
  .object({
    id: z.string(),
    object: z.literal('job'),
    endpoint: z.enum(endpoints),
    model: z.string(),
    status: z.enum(jobStatuses),
    waiting_for: waitingForSchema.nullable(),
    priority: z.enum(priorities),
    attempts: z.int(),
    created_at: unixSeconds,
    started_at: unixSeconds.nullable(),
    settled_at: unixSeconds.nullable(),
    expires_at: unixSeconds.nullable(),
    run_at: unixSeconds.nullable(),
    response: z
      .object({ status_code: z.int(), request_id: z.string().nullable(), body: z.unknown() })
      .nullable()
      .describe("the provider's answer, its body untouched"),
    error: z.object({ code: z.string(), message: z.string() }).nullable(),
    usage: z
      .object({
        input_tokens: z.int(),
        cached_input_tokens: z.int(),
        output_tokens: z.int(),
        reasoning_tokens: z.int(),
        total_tokens: z.int(),
      })
      .nullable(),
    cost_usd: z.number().nullable().describe('null when the price of the model is not known'),
    metadata: z.record(z.string(), z.string()),
    retry_of: z.string().nullable(),
  })
  .meta({ id: 'Job' });

export const deletedJobSchema = z
  .object({ id: z.string(), object: z.literal('job'), deleted: z.literal(true) })
  .meta({ id: 'DeletedJob' });

export const jobListSchema = z
  .object({
    object: z.literal('list'),
    data: z.array(jobSchema),
    first_id: z.string().nullable(),
    last_id: z.string().nullable(),
    has_more: z.boolean(),
  })
  .meta({ id: 'JobList' });

/**
 * A job as JSON. The provider's answer goes in as the text that came: numbers beyond double precision, the order of
 * keys and escapes reach the caller as the provider wrote them. An answer that is not JSON is shown as a string.
 */
export function jobToJson(job: Job, waitingFor: WaitingFor | null): string {
  const { usage } = job;
  const head = JSON.stringify({
    id: job.id,
    object: 'job',
    endpoint: job.endpoint,
    model: job.model,
    status: job.status,
    waiting_for: waitingFor,
    priority: job.priority,
    attempts: job.attempts,
    created_at: seconds(job.createdAtMs),
    started_at: seconds(job.startedAtMs),
    settled_at: seconds(job.settledAtMs),
    expires_at: seconds(job.expiresAtMs),
    run_at: seconds(job.runAtMs),
  });
  const tail = JSON.stringify({
    error: job.error,
    usage: usage && {
      input_tokens: usage.inputTokens,
      cached_input_tokens: usage.cachedInputTokens,
      output_tokens: usage.outputTokens,
      reasoning_tokens: usage.reasoningTokens,
      total_tokens: usage.totalTokens,
    },
    cost_usd: job.costUsd,
    metadata: job.metadata,
    retry_of: job.retryOf,
  });
  return `${head.slice(0, -1)},"response":${responseToJson(job.response)},${tail.slice(1)}`;
}

function responseToJson(response: Job['response']): string {
  if (response === null) return 'null';
  const { statusCode, requestId, body } = response;
  return `{"status_code":${statusCode},"request_id":${JSON.stringify(requestId)},"body":${isJson(body) ? body : JSON.stringify(body)}}`;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Whole unix seconds, as OpenAI's. */
function seconds(ms: number | null): number | null {
  return ms === null ? null : Math.floor(ms / 1000);
}
