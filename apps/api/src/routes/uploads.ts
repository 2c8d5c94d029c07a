import type { FastifyInstance } from 'fastify';
import { newUploadId } from '@nightshift/shared/batch';
import {
  checkFilename,
  presentUpload,
  uploadRequestSchema,
  uploadSchema,
  type UploadRequest,
} from '@nightshift/shared/http';
import type { Context } from '../context.ts';
import { tooManyUploads } from '../upload/upload-slots.ts';
import { noBodySchema } from '../plugins/validation.ts';
import { answer, errorAnswers, onBody, onRedis, sendJson } from './answers.ts';
import { findUpload, notTaken, uploadIdOf, uploadParamsSchema } from './upload-parameters.ts';

const createSchema = (mostBytes: number) => ({
  operationId: 'createUpload',
  tags: ['files'],
  summary: 'Begin an upload in parts',
  description: 'Parts can be added for an hour.',
  body: uploadRequestSchema(mostBytes),
  response: {
    200: answer('The upload, pending', uploadSchema),
    ...errorAnswers(
      ...onBody,
      ...onRedis,
      'missing_required_parameter',
      'invalid_value',
      'integer_above_max_value',
      'integer_below_min_value',
      'string_above_max_length',
      'invalid_file_format',
      'redis_full',
      'too_many_uploads',
    ),
  },
});

const cancelSchema = {
  operationId: 'cancelUpload',
  tags: ['files'],
  summary: 'Cancel an upload',
  description: 'Can be repeated. Its parts are removed.',
  params: uploadParamsSchema,
  body: noBodySchema,
  response: {
    200: answer('The upload, cancelled', uploadSchema),
    ...errorAnswers(...onBody, ...onRedis, 'not_found', 'upload_not_pending'),
  },
};

export function registerUploads(app: FastifyInstance, context: Context): void {
  const { configuration, uploads } = context;
  const { uploadBytes, uploadsAtOnce, uploadsAtOnceBytes } = configuration.limits;
  const create = createSchema(uploadBytes);

  app.post('/v1/uploads', { schema: create }, async (request, reply) => {
    const { filename, purpose, bytes, expires_after: expiresAfter } = request.body as UploadRequest;
    checkFilename(filename, purpose, 'filename');
    const upload = await uploads.create(
      {
        id: newUploadId(),
        tenant: request.tenant,
        filename,
        purpose,
        bytes,
        expiresAfterMs: expiresAfter == null ? null : expiresAfter.seconds * 1000,
      },
      { uploads: uploadsAtOnce, bytes: uploadsAtOnceBytes },
    );
    if (upload === null) throw tooManyUploads();
    return sendJson(reply, 200, JSON.stringify(presentUpload(upload)));
  });

  app.post('/v1/uploads/:id/cancel', { schema: cancelSchema }, async (request, reply) => {
    const id = uploadIdOf(request.params);
    const result = await uploads.cancel(request.tenant, id);
    if (result.kind !== 'cancelled') throw notTaken(id, result);
    const upload = await findUpload(context, request.tenant, id);
    return sendJson(reply, 200, JSON.stringify(presentUpload(upload)));
  });
}
