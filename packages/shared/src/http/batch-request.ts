import { z } from 'zod';
import {
  completionWindowRule,
  isTimeZone,
  parseCompletionWindow,
  quietMinutes,
  timeOfDayPattern,
} from '../batch/index.ts';
import { ApiError } from '../errors/index.ts';
import { endpoints } from '../job/index.ts';
import { metadataSchema } from './job-request.ts';
import { queryNumber } from './query-number.ts';

const timeOfDay = z.string().regex(timeOfDayPattern, "must be a time of day such as '22:00'");

const quietHours = z
  .strictObject({
    start: timeOfDay,
    end: timeOfDay,
    time_zone: z
      .string()
      .max(64)
      .refine(isTimeZone, "must be a time zone such as 'Europe/Berlin'")
      .describe('a name of the IANA time zone database'),
  })
  .refine((hours) => quietMinutes(hours) > 0, {
    path: ['end'],
    message: 'must differ from start',
  });

/** The body of `POST /v1/batches`: OpenAI's, or `requests` in place of the file. */
export const batchRequestSchema = z.strictObject({
  input_file_id: z.string().max(128).nullish(),
  endpoint: z.enum(endpoints),
  completion_window: z
    .string()
    .refine((text) => parseCompletionWindow(text) !== null, completionWindowRule),
  metadata: metadataSchema.nullish(),
  output_expires_after: z
    .strictObject({
      anchor: z.literal('created_at'),
      seconds: z.int().min(3600).max(2_592_000),
    })
    .nullish(),
  run_at: z
    .number()
    .min(0)
    .max(4_102_444_800)
    .nullish()
    .describe('unix seconds; no request is called before; a time in the past means now'),
  quiet_hours: quietHours.nullish().describe('requests are called only within these hours'),
  requests: z
    .array(z.unknown())
    .nullish()
    .describe('`{custom_id, body}` each, in place of an input file'),
  model: z
    .string()
    .min(1)
    .max(256)
    .nullish()
    .describe('with `requests`: the model of those whose body names none'),
});
export type BatchRequest = z.infer<typeof batchRequestSchema>;

/** What the schema cannot say: fields that depend on each other. */
export function checkBatchRequest(request: BatchRequest, nowMs: number): void {
  const { input_file_id: file, requests, run_at: runAt } = request;
  if (file == null && requests == null) {
    throw new ApiError(
      'missing_required_parameter',
      "Missing required parameter: 'input_file_id'.",
      { param: 'input_file_id' },
    );
  }
  const wrong = (param: string, rule: string): ApiError =>
    new ApiError('invalid_value', `Invalid '${param}': ${rule}.`, { param });
  if (file != null && requests != null) {
    throw wrong('requests', 'must not be given beside input_file_id');
  }
  if (request.model != null && requests == null) {
    throw wrong('model', 'is for batches with requests; in a file each line names its own');
  }
  const windowMs = parseCompletionWindow(request.completion_window) ?? 0;
  if (runAt != null && runAt * 1000 >= nowMs + windowMs) {
    throw wrong('run_at', 'the batch would expire before; choose a longer completion_window');
  }
}

export const createBatchQuerySchema = z.strictObject({
  dry_run: z.enum(['true', 'false']).default('false').describe('check and estimate, start nothing'),
});

export const listBatchesQuerySchema = z.strictObject({
  limit: queryNumber(1, 100).default(20),
  after: z.string().max(128).optional(),
});

export const batchResultsQuerySchema = z.strictObject({
  order: z.enum(['completion', 'input']).default('completion'),
  after: z.string().max(128).optional().describe('the x-next-after of the answer before'),
  limit: queryNumber(1, 10_000).optional().describe('at most so many lines'),
});
export type BatchResultsQuery = z.infer<typeof batchResultsQuerySchema>;

const errorCode = z.string().min(1).max(256);

/** The body of `POST /v1/batches/ID/retry`. */
export const retryBatchSchema = z
  .strictObject({
    filter: z
      .strictObject({
        error_code: z
          .union([errorCode, z.array(errorCode).min(1).max(100)])
          .nullish()
          .describe('one code, or a list'),
        custom_ids: z.array(z.string().max(1024)).min(1).max(50_000).nullish(),
      })
      .nullish(),
  })
  .optional();
export type RetryBatch = z.infer<typeof retryBatchSchema>;
