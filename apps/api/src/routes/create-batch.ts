import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { parseCompletionWindow, type NewBatch } from '@nightshift/shared/batch';
import { batchInputRules } from '@nightshift/shared/config';
import {
  batchDryRunSchema,
  batchRequestSchema,
  batchSchema,
  checkBatchRequest,
  createBatchQuerySchema,
  type BatchRequest,
} from '@nightshift/shared/http';
import {
  acceptBatch,
  checkInputFile,
  idempotencyOf,
  type BatchSubmission,
} from '../batches/accept-batch.ts';
import type { BatchContext } from '../batches/batch-context.ts';
import { bytesOf, checkRequests } from '../batches/check-requests.ts';
import { dryRun } from '../batches/dry-run.ts';
import { arrayElements, inlineLine } from '../batches/inline-requests.ts';
import { readContent } from '../batches/read-file.ts';
import { answer, errorAnswers, onBody, onRedis, onStorage, sendJson } from './answers.ts';
import { idempotencyHeadersSchema, idempotencyKeyOf } from './job-parameters.ts';

const schema = {
  operationId: 'createBatch',
  tags: ['batches'],
  summary: 'Accept a batch',
  description:
    'Once this answers, the batch is on disk and will be settled. Its input is an uploaded file with the purpose `batch`, or `requests` in the body. What is wrong with the lines of a file is told by the batch, which then is `failed`. With `dry_run=true` nothing is stored: the answer tells counts, bad lines, and what the batch would use, cost and take.',
  querystring: createBatchQuerySchema,
  headers: idempotencyHeadersSchema,
  body: batchRequestSchema,
  response: {
    200: answer('The batch, or what a dry run found', z.union([batchSchema, batchDryRunSchema])),
    ...errorAnswers(
      ...onBody,
      ...onRedis,
      ...onStorage,
      'missing_required_parameter',
      'invalid_value',
      'invalid_requests',
      'integer_above_max_value',
      'integer_below_min_value',
      'string_above_max_length',
      'object_above_max_properties',
      'idempotency_key_reused',
      'redis_full',
    ),
  },
};

/** Room for the fields around `requests`. */
const ENVELOPE_BYTES = 65_536;

export function registerCreateBatch(app: FastifyInstance, context: BatchContext): void {
  const { blobs, clock, configuration } = context;
  const bodyLimit = configuration.limits.batchInlineBytes + ENVELOPE_BYTES;
  app.post('/v1/batches', { schema, bodyLimit }, async (request, reply) => {
    const given = request.body as BatchRequest;
    const key = idempotencyKeyOf(request.headers['idempotency-key']);
    checkBatchRequest(given, clock.now());
    const batch = batchOf(given, request.tenant);
    const lines = given.requests == null ? null : inlineLines(request, given);
    if (lines !== null) await checkRequests(lines, batchInputRules(configuration, batch.endpoint));

    if ((request.query as { dry_run: string }).dry_run === 'true') {
      const source = lines === null ? await readInput(request.tenant, given) : bytesOf(lines);
      return sendJson(reply, 200, JSON.stringify(await dryRun(context, batch, source)));
    }
    return acceptBatch(context, reply, {
      batch,
      input: inputOf(given, lines),
      idempotency: idempotencyOf(key, { call: 'POST /v1/batches', given }),
    });
  });

  async function readInput(tenant: string, { input_file_id: id }: BatchRequest) {
    const { content } = await checkInputFile(context, tenant, id ?? '');
    return readContent(blobs, content);
  }
}

function batchOf(given: BatchRequest, tenant: string): Omit<NewBatch, 'inputFileId'> {
  const { quiet_hours: hours, output_expires_after: expires } = given;
  return {
    tenant,
    endpoint: given.endpoint,
    completionWindow: given.completion_window,
    windowMs: parseCompletionWindow(given.completion_window) ?? 0,
    metadata: given.metadata ?? null,
    outputExpiresAfterMs: expires == null ? null : expires.seconds * 1000,
    runAtMs: given.run_at == null ? null : Math.round(given.run_at * 1000),
    quietHours:
      hours == null ? null : { start: hours.start, end: hours.end, timeZone: hours.time_zone },
    retryOf: null,
  };
}

/** The requests as lines, from the text as it came: written anew, their numbers could lose digits. */
function inlineLines({ jsonText }: FastifyRequest, { endpoint, model }: BatchRequest): string[] {
  const span = jsonText?.spans.get('requests');
  if (jsonText === null || span === undefined) throw new Error('a checked body has no text');
  const text = jsonText.text.slice(span.start, span.end);
  return [...arrayElements(text)].map((element) => inlineLine(element, endpoint, model ?? null));
}

function inputOf(given: BatchRequest, lines: readonly string[] | null): BatchSubmission['input'] {
  if (lines === null) return { kind: 'file', id: given.input_file_id ?? '' };
  return { kind: 'lines', filename: 'requests.jsonl', source: async () => bytesOf(lines) };
}
