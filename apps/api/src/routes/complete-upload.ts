import type { FastifyInstance, FastifyReply } from 'fastify';
import { BlobNotFoundError } from '@nightshift/blobs';
import { newFileId, type StoredFile, type Upload } from '@nightshift/shared/batch';
import {
  completeUploadSchema,
  presentUpload,
  uploadSchema,
  type CompleteUploadRequest,
} from '@nightshift/shared/http';
import type { Context } from '../context.ts';
import { joinParts, orderParts } from '../upload/join-parts.ts';
import { discard, tookTooLong } from '../upload/spool.ts';
import { answer, errorAnswers, onBody, onRedis, onStorage, sendJson } from './answers.ts';
import { findUpload, notTaken, uploadIdOf, uploadParamsSchema } from './upload-parameters.ts';

const schema = {
  operationId: 'completeUpload',
  tags: ['files'],
  summary: 'Join the parts of an upload',
  description:
    'Makes a file of them, in the order of `part_ids`; they must add up to `bytes`. Can be repeated with the same parts.',
  params: uploadParamsSchema,
  body: completeUploadSchema,
  response: {
    200: answer('The upload, completed, with its file', uploadSchema),
    ...errorAnswers(
      ...onBody,
      ...onRedis,
      ...onStorage,
      'missing_required_parameter',
      'invalid_value',
      'integer_above_max_value',
      'string_above_max_length',
      'not_found',
      'upload_not_pending',
    ),
  },
};

export function registerCompleteUpload(app: FastifyInstance, context: Context): void {
  const { blobs, files, uploads } = context;

  app.post('/v1/uploads/:id/complete', { schema }, async (request, reply) => {
    const { tenant } = request;
    const id = uploadIdOf(request.params);
    const { part_ids: partIds, md5 } = request.body as CompleteUploadRequest;
    const upload = await findUpload(context, tenant, id);
    if (upload.status === 'completed') return answerAgain(reply, upload, partIds);
    if (upload.status !== 'pending') {
      throw notTaken(id, { kind: 'not_pending', status: upload.status });
    }
    const parts = orderParts(upload, partIds);
    const fileId = newFileId();
    const content = { kind: 'blob', name: `files/${fileId}` } as const;
    await files.hold(tenant, content.name);
    try {
      await joinParts(blobs, content.name, parts, md5 ?? null);
    } catch (error) {
      await discard(context, tenant, [content]);
      // Another call joined them meanwhile, and removed them.
      if (error instanceof BlobNotFoundError) return answerOther(reply, tenant, id, partIds);
      throw error;
    }
    const { filename, purpose, bytes, expiresAfterMs } = upload;
    const result = await uploads.complete(
      id,
      { id: fileId, tenant, filename, purpose, bytes, expiresAfterMs, content },
      partIds,
    );
    if (result.kind === 'completed') {
      await discard(
        context,
        tenant,
        [...upload.parts.values()].map(({ blob }) => ({ kind: 'blob', name: blob })),
      );
      return sendCompleted(reply, upload, result.file, partIds);
    }
    await discard(context, tenant, [content]);
    if (result.kind === 'swept') throw tookTooLong();
    return answerOther(reply, tenant, id, partIds);
  });

  /** Another call was faster: it may have been the same one, sent twice. */
  const answerOther = async (
    reply: FastifyReply,
    tenant: string,
    id: string,
    partIds: readonly string[],
  ): Promise<FastifyReply> => {
    const now = await findUpload(context, tenant, id);
    if (now.status !== 'pending') return answerAgain(reply, now, partIds);
    throw new Error(`upload ${id}: a part has no bytes`);
  };
}

/** A call whose answer was lost is sent again by the SDKs; it must not look like a failure. */
function answerAgain(
  reply: FastifyReply,
  upload: Upload,
  partIds: readonly string[],
): FastifyReply {
  const { completed, id } = upload;
  if (completed === null || completed.partIds.join() !== partIds.join()) {
    throw notTaken(id, { kind: 'not_pending', status: upload.status });
  }
  return sendCompleted(reply, upload, completed.file, partIds);
}

function sendCompleted(
  reply: FastifyReply,
  upload: Upload,
  file: StoredFile,
  partIds: readonly string[],
): FastifyReply {
  const view = presentUpload({ ...upload, status: 'completed', completed: { file, partIds } });
  return sendJson(reply, 200, JSON.stringify(view));
}
