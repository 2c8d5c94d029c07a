import { createHash } from 'node:crypto';
import type { FastifyReply } from 'fastify';
import { newBatchId, type Batch, type NewBatch } from '@nightshift/shared/batch';
import { ApiError, describeValue } from '@nightshift/shared/errors';
import { canonicalJson } from '@nightshift/shared/json';
import type { Idempotency } from '@nightshift/shared/redis';
import { keyReused } from '../accept-job.ts';
import { redisFull } from '../plugins/error-answers.ts';
import { sendJson } from '../routes/answers.ts';
import type { BatchContext } from './batch-context.ts';
import { showBatch } from './explain-batch.ts';
import { writeInput, type WrittenInput } from './write-input.ts';

export interface BatchSubmission {
  batch: Omit<NewBatch, 'inputFileId'>;
  /** A file of the caller's, or the lines of one that is to be written. */
  input:
    | { kind: 'file'; id: string }
    | {
        kind: 'lines';
        filename: string;
        /** Asked for only when they are needed. */
        source: () => Promise<AsyncIterable<Uint8Array>>;
      };
  idempotency: Idempotency | null;
}

/** `recall → have an input file → create → answer`: the way of every new batch, whoever makes it. */
export async function acceptBatch(
  context: BatchContext,
  reply: FastifyReply,
  { batch, input, idempotency }: BatchSubmission,
): Promise<FastifyReply> {
  if (context.isFull()) throw redisFull();
  const { batches } = context;
  const earlier = idempotency && (await batches.recall(batch.tenant, idempotency));
  if (earlier?.kind === 'conflict') throw keyReused();
  if (earlier?.kind === 'replayed') return answerBatch(context, reply, earlier.batch, true);

  let written: WrittenInput | null = null;
  if (input.kind === 'file') {
    await checkInputFile(context, batch.tenant, input.id);
  } else {
    const { filename, source } = input;
    written = await writeInput(context, batch.tenant, filename, await source());
  }
  const inputFileId = input.kind === 'file' ? input.id : (written?.id ?? '');
  // What this rejects with may hide that the batch was created: then its input must stay.
  const result = await batches.create(newBatchId(), { ...batch, inputFileId }, idempotency);
  switch (result.kind) {
    case 'created':
      return answerBatch(context, reply, result.batch, false);
    case 'replayed':
      await written?.discard();
      return answerBatch(context, reply, result.batch, true);
    case 'conflict':
      await written?.discard();
      throw keyReused();
    case 'no_input':
      throw noInput(inputFileId);
  }
}

/** The content of a call as its idempotency key stands for it. */
export function idempotencyOf(key: string | null, content: unknown): Idempotency | null {
  if (key === null) return null;
  return {
    key,
    contentHash: createHash('sha256').update(canonicalJson(content)).digest('hex'),
  };
}

/** @throws ApiError 400 */
export async function checkInputFile({ files }: BatchContext, tenant: string, id: string) {
  const file = await files.get(tenant, id);
  if (file === null) throw noInput(id);
  if (file.purpose === 'batch') return file;
  throw new ApiError(
    'invalid_value',
    `Invalid 'input_file_id': the file must have the purpose "batch", got ${describeValue(file.purpose)}.`,
    { param: 'input_file_id' },
  );
}

async function answerBatch(
  context: BatchContext,
  reply: FastifyReply,
  batch: Batch,
  isReplay: boolean,
): Promise<FastifyReply> {
  const view = await showBatch(context, batch);
  if (isReplay) reply.header('idempotent-replayed', 'true');
  return sendJson(reply, 200, JSON.stringify(view));
}

function noInput(id: string): ApiError {
  return new ApiError(
    'invalid_value',
    `Invalid 'input_file_id': must be the id of a file of yours, got ${describeValue(id)}.`,
    { param: 'input_file_id' },
  );
}
