import { createHash } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { newFileId } from '@nightshift/shared/batch';
import {
  checkFilename,
  fileFormSchema,
  fileSchema,
  parseFileForm,
  presentFile,
} from '@nightshift/shared/http';
import { canonicalJson } from '@nightshift/shared/json';
import { keyReused } from '../accept-job.ts';
import type { Context } from '../context.ts';
import { discard, spoolForm, tookTooLong } from '../upload/spool.ts';
import { answer, errorAnswers, onRedis, onUpload, sendJson } from './answers.ts';
import { noSuchFile } from './file-parameters.ts';
import { idempotencyHeadersSchema, idempotencyKeyOf } from './job-parameters.ts';

const schema = {
  operationId: 'createFile',
  tags: ['files'],
  summary: 'Upload a file',
  description:
    'The parts of the form can come in any order. Once this answers, the file is on disk. `expires_after[anchor]` and `expires_after[seconds]` go together.',
  headers: idempotencyHeadersSchema,
  consumes: ['multipart/form-data'],
  body: fileFormSchema,
  response: {
    200: answer('The file', fileSchema),
    ...errorAnswers(
      ...onUpload,
      ...onRedis,
      'integer_above_max_value',
      'integer_below_min_value',
      'string_above_max_length',
      'unknown_parameter',
      'invalid_file_format',
      'not_found',
      'idempotency_key_reused',
    ),
  },
};

export function registerCreateFile(app: FastifyInstance, context: Context): void {
  const { configuration, files } = context;
  app.post(
    '/v1/files',
    // The form is read by the handler, as it comes; the schema is for the document.
    { schema, config: { isUpload: true }, validatorCompiler: () => () => true },
    async (request, reply) => {
      const { tenant } = request;
      const key = idempotencyKeyOf(request.headers['idempotency-key']);
      const id = newFileId();
      const content = { kind: 'blob', name: `files/${id}` } as const;
      const { form, file } = await spoolForm(
        context,
        request,
        { fileField: 'file', mostBytes: configuration.limits.uploadBytes, blob: content.name },
        (received) => {
          const form = parseFileForm(received.fields);
          checkFilename(received.file.filename, form.purpose, 'file');
          return { form, file: received.file };
        },
      );
      // An error in here leaves it open whether the record stands: the blob is the sweep's, not ours to remove.
      const result = await files.create(
        { id, tenant, content, filename: file.filename, bytes: file.bytes, ...form },
        key === null
          ? null
          : { key, contentHash: hashOf({ call: 'POST /v1/files', ...form, ...file }) },
      );
      if (result.kind === 'created') {
        return sendJson(reply, 200, JSON.stringify(presentFile(result.file)));
      }
      await discard(context, tenant, [content]);
      if (result.kind === 'swept') throw tookTooLong();
      if (result.kind === 'conflict') throw keyReused();
      const earlier = await files.get(tenant, result.id);
      if (earlier === null) throw noSuchFile(result.id);
      reply.header('idempotent-replayed', 'true');
      return sendJson(reply, 200, JSON.stringify(presentFile(earlier)));
    },
  );
}

function hashOf(content: unknown): string {
  return createHash('sha256').update(canonicalJson(content)).digest('hex');
}
