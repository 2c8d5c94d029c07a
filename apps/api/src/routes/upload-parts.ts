import type { FastifyInstance } from 'fastify';
import { newPartId } from '@nightshift/shared/batch';
import { ApiError } from '@nightshift/shared/errors';
import { partFormSchema, uploadPartSchema, type UploadPartView } from '@nightshift/shared/http';
import type { Context } from '../context.ts';
import { discard, spoolForm, tookTooLong } from '../upload/spool.ts';
import { answer, errorAnswers, onRedis, onUpload, sendJson } from './answers.ts';
import { findUpload, notTaken, uploadIdOf, uploadParamsSchema } from './upload-parameters.ts';

/** OpenAI's limit of a part. */
const MOST_PART_BYTES = 64_000_000;

const schema = {
  operationId: 'addUploadPart',
  tags: ['files'],
  summary: 'Add a part to an upload',
  description: 'Parts can be added at the same time; their order is named when they are joined.',
  params: uploadParamsSchema,
  consumes: ['multipart/form-data'],
  body: partFormSchema,
  response: {
    200: answer('The part', uploadPartSchema),
    ...errorAnswers(
      ...onUpload,
      ...onRedis,
      'unknown_parameter',
      'not_found',
      'upload_not_pending',
    ),
  },
};

export function registerUploadParts(app: FastifyInstance, context: Context): void {
  const { configuration, uploads } = context;
  const mostBytes = Math.min(MOST_PART_BYTES, configuration.limits.uploadBytes);

  app.post(
    '/v1/uploads/:id/parts',
    { schema, config: { isUpload: true }, validatorCompiler: () => () => true },
    async (request, reply) => {
      const { tenant } = request;
      const id = uploadIdOf(request.params);
      const { status } = await findUpload(context, tenant, id);
      if (status !== 'pending') throw notTaken(id, { kind: 'not_pending', status });
      const part = newPartId();
      const blob = `parts/${part}`;
      const bytes = await spoolForm(
        context,
        request,
        { fileField: 'data', mostBytes, blob },
        ({ fields, file }) => {
          const [unknown] = Object.keys(fields);
          if (unknown !== undefined) throw unknownField(unknown);
          return file.bytes;
        },
      );
      const result = await uploads.addPart(tenant, id, { id: part, bytes, blob });
      if (result.kind === 'added') {
        const view: UploadPartView = {
          id: part,
          object: 'upload.part',
          created_at: Math.floor(result.createdAtMs / 1000),
          upload_id: id,
        };
        return sendJson(reply, 200, JSON.stringify(view));
      }
      await discard(context, tenant, [{ kind: 'blob', name: blob }]);
      if (result.kind === 'swept') throw tookTooLong();
      if (result.kind === 'too_many') throw tooManyParts();
      throw notTaken(id, result);
    },
  );
}

function unknownField(name: string): ApiError {
  const param = name.length > 64 ? `${name.slice(0, 64)}…` : name;
  return new ApiError('unknown_parameter', `Unknown parameter: '${param}'.`, { param });
}

function tooManyParts(): ApiError {
  return new ApiError('invalid_value', 'An upload takes at most 1000 parts; send larger ones.', {
    param: 'data',
  });
}
