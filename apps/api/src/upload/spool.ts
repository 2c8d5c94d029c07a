import type { FastifyRequest } from 'fastify';
import { ApiError } from '@nightshift/shared/errors';
import type { LooseBlob } from '@nightshift/shared/redis';
import type { Context } from '../context.ts';
import { redisFull } from '../plugins/error-answers.ts';
import { receiveForm, tooLarge, type Form, type FormRules } from './receive-form.ts';

/** Room for a form's fields and boundaries beside its file. */
const ENVELOPE_BYTES = 65_536;

/**
 * Reads a form and writes its file under the name of a blob. What `check` makes of the form comes back; if anything is wrong,
 * nothing is left of it. The blob is held for a record to be made of it.
 */
export async function spoolForm<Checked>(
  context: Context,
  request: FastifyRequest,
  { blob, ...rules }: FormRules & { blob: string },
  check: (form: Form) => Checked,
): Promise<Checked> {
  checkHeaders(request, rules);
  if (context.isFull()) throw redisFull();
  const { tenant } = request;
  const declared = Number(request.headers['content-length'] ?? Infinity);
  const giveBack = context.uploadSlots.take(tenant, Math.min(declared, rules.mostBytes));
  try {
    await context.files.hold(tenant, blob);
    return await spool(context, request, { blob, ...rules }, check);
  } finally {
    giveBack();
  }
}

async function spool<Checked>(
  context: Context,
  request: FastifyRequest,
  { blob, ...rules }: FormRules & { blob: string },
  check: (form: Form) => Checked,
): Promise<Checked> {
  try {
    const form = await receiveForm(
      request.raw,
      rules,
      async (source, signal) =>
        await context.blobs.put(blob, source, { signal, maxBytes: rules.mostBytes }),
    );
    return check(form);
  } catch (error) {
    await discard(context, request.tenant, [{ kind: 'blob', name: blob }]);
    throw error;
  }
}

/** Removes what no record holds. What cannot be removed now is left to the sweep. */
export async function discard(
  { files, blobs, logger }: Pick<Context, 'files' | 'blobs' | 'logger'>,
  tenant: string,
  loose: readonly LooseBlob[],
): Promise<void> {
  try {
    for (const one of loose) {
      await (one.kind === 'blob' ? blobs.remove(one.name) : blobs.removeSegment(one.name));
      await files.forgetLoose(tenant, one);
    }
  } catch (error) {
    logger.warn({ reason: (error as Error).message }, 'blob.not_removed');
  }
}

/** The record could not be made in time, and what was uploaded may be gone. */
export function tookTooLong(): ApiError {
  return new ApiError(
    'storage_unavailable',
    'The upload took too long to be kept; send it again.',
    {
      headers: { 'retry-after': '1' },
    },
  );
}

function checkHeaders({ headers }: FastifyRequest, { fileField, mostBytes }: FormRules): void {
  if (!/^multipart\/form-data\s*(;|$)/i.test(headers['content-type'] ?? '')) {
    throw new ApiError(
      'unsupported_media_type',
      'A file must be sent with Content-Type: multipart/form-data.',
      { param: 'Content-Type' },
    );
  }
  const encoding = headers['content-encoding'] ?? 'identity';
  if (encoding.toLowerCase() !== 'identity') {
    throw new ApiError('unsupported_media_type', 'A request body must be sent uncompressed.', {
      param: 'Content-Encoding',
    });
  }
  if (Number(headers['content-length'] ?? 0) > mostBytes + ENVELOPE_BYTES) {
    throw tooLarge(fileField, mostBytes);
  }
}
