import type { FastifyInstance } from 'fastify';
import type { Context } from '../context.ts';
import { registerCompleteUpload } from './complete-upload.ts';
import { registerCreateFile } from './create-file.ts';
import { registerFileContent } from './file-content.ts';
import { registerReadFiles } from './read-files.ts';
import { registerUploadParts } from './upload-parts.ts';
import { registerUploads } from './uploads.ts';

/** A scope of its own: forms are taken here and nowhere else, and by the handlers, as they come. */
export async function registerFiles(app: FastifyInstance, context: Context): Promise<void> {
  await app.register(async (scope) => {
    scope.addContentTypeParser('multipart/form-data', (_request, _payload, done) => {
      done(null);
    });
    registerCreateFile(scope, context);
    registerReadFiles(scope, context);
    registerFileContent(scope, context);
    registerUploads(scope, context);
    registerUploadParts(scope, context);
    registerCompleteUpload(scope, context);
  });
}
