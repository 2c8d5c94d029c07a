import { z } from 'zod';
import { ApiError } from '../errors/index.ts';
import { endpoints, jobStatuses, priorities } from '../job/index.ts';
import { queryNumber } from './query-number.ts';

const DAY_S = 86_400;
const MOST_PAIRS = 16;

/** OpenAI's limits: 16 pairs, keys of 64 characters, values of 512. */
export const metadataSchema = z.record(z.string(), z.string()).superRefine((metadata, context) => {
  const entries = Object.entries(metadata);
  if (entries.length > MOST_PAIRS) {
    context.addIssue({
      code: 'too_big',
      origin: 'object',
      maximum: MOST_PAIRS,
      input: metadata,
    });
  }
  for (const [key, value] of entries) {
    if (key.length > 64) {
      context.addIssue({
        code: 'custom',
        message: 'keys must be at most 64 characters long',
        input: metadata,
      });
    }
    if (value.length > 512) {
      context.addIssue({
        code: 'too_big',
        origin: 'string',
        maximum: 512,
        input: value,
        path: [key],
      });
    }
  }
});

const durationUnits = { s: 1, m: 60, h: 3600, d: DAY_S } as const;

const expiresAfterForms =
  "must be a number of seconds, a duration such as '24h', or {anchor: 'created_at', seconds}";

/** Seconds, `30m` / `24h` / `7d`, or OpenAI's `{anchor: 'created_at', seconds}`; read as seconds. */
const expiresAfter = z
  .union(
    [
      z.number(),
      z.string().regex(/^\d{1,7}[smhd]$/, expiresAfterForms),
      z.strictObject({ anchor: z.literal('created_at'), seconds: z.number() }),
    ],
    { error: expiresAfterForms },
  )
  .transform((given) => {
    if (typeof given === 'number') return given;
    if (typeof given === 'object') return given.seconds;
    return (
      Number(given.slice(0, -1)) * durationUnits[given.slice(-1) as keyof typeof durationUnits]
    );
  })
  .refine(
    (seconds) => Number.isFinite(seconds) && seconds >= 1 && seconds <= 30 * DAY_S,
    'must be from 1 second to 30 days',
  );

/** The body of `POST /v1/jobs`. */
export const jobRequestSchema = z.strictObject({
  endpoint: z.enum(endpoints).default('/v1/chat/completions'),
  body: z.looseObject({ model: z.string().min(1).max(256) }),
  priority: z.enum(priorities).default('interactive'),
  metadata: metadataSchema.nullish(),
  /** Unix seconds. */
  run_at: z
    .number()
    .min(0)
    .max(4_102_444_800)
    .nullish()
    .describe('unix seconds; the job is not called before; a time in the past means now'),
  expires_after: expiresAfter.nullish(),
  max_attempts: z.int().min(1).max(100).nullish(),
  webhook_url: z.string().nullish(),
});
export type JobRequest = z.infer<typeof jobRequestSchema>;

/** What the schema cannot say: fields that depend on each other, and those that this version does not serve. */
export function checkJobRequest(request: JobRequest, nowMs: number): void {
  if (request.webhook_url != null) {
    throw new ApiError(
      'unsupported_parameter',
      "'webhook_url' is not supported yet: poll the job or follow its events.",
      {
        param: 'webhook_url',
      },
    );
  }
  if (request.body['stream'] === true) {
    throw new ApiError(
      'unsupported_parameter',
      "'body.stream' is not supported yet: leave it out, and poll the job.",
      {
        param: 'body.stream',
      },
    );
  }
  if (
    request.run_at != null &&
    request.expires_after != null &&
    request.run_at * 1000 >= nowMs + request.expires_after * 1000
  ) {
    throw new ApiError(
      'invalid_value',
      "Invalid 'expires_after': the job would expire before its 'run_at'.",
      {
        param: 'expires_after',
      },
    );
  }
}

/** `?wait=N`: seconds. */
export const waitQuerySchema = z.strictObject({ wait: queryNumber(0, 60).optional() });

export const listJobsQuerySchema = z.strictObject({
  limit: queryNumber(1, 100).default(20),
  after: z.string().max(128).optional(),
  status: z.enum(jobStatuses).optional(),
  model: z.string().max(256).optional(),
  created_after: queryNumber(0, 9_999_999_999).optional(),
  metadata: metadataSchema.default({}),
});
export type ListJobsQuery = z.infer<typeof listJobsQuerySchema>;
