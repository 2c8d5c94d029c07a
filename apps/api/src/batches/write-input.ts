import { newFileId } from '@nightshift/shared/batch';
import type { BatchContext } from './batch-context.ts';

/** Twice the longest window: the batch has ended long before. */
const KEPT_MS = 28 * 86_400_000;

export interface WrittenInput {
  id: string;
  /** Takes it back, when the batch that it was written for is not accepted. */
  discard(): Promise<void>;
}

/** Writes an input file for a batch that came without one: the blob first, then its record. */
export async function writeInput(
  { files, blobs }: BatchContext,
  tenant: string,
  filename: string,
  source: AsyncIterable<Uint8Array>,
): Promise<WrittenInput> {
  const id = newFileId();
  const name = `files/${id}`;
  await files.hold(tenant, name);
  const { bytes } = await blobs.put(name, source);
  const content = { kind: 'blob', name } as const;
  const file = { id, tenant, filename, purpose: 'batch', bytes, content };
  const { kind } = await files.create({ ...file, expiresAfterMs: KEPT_MS });
  if (kind !== 'created') throw new Error(`the input file of a batch was ${kind}`);
  return {
    id,
    discard: async () => {
      await files.remove(tenant, id);
      await blobs.remove(name);
    },
  };
}
