import type { BlobStore } from '@nightshift/blobs';
import { createCustomIds, type Batch, type FileContent } from '@nightshift/shared/batch';
import type { RetryBatch } from '@nightshift/shared/http';
import { readFailures } from './failures.ts';
import { linesOf, readContent } from './read-file.ts';

export interface Chosen {
  has(customId: string): boolean;
  count: number;
}

/** The requests of a batch that failed and that the filter lets through. What succeeded is never among them. */
export async function chooseFailed(
  blobs: BlobStore,
  batch: Batch,
  filter: NonNullable<RetryBatch>['filter'],
): Promise<Chosen> {
  const wanted = filter?.error_code == null ? null : new Set([filter.error_code].flat());
  const only = filter?.custom_ids == null ? null : new Set(filter.custom_ids);
  const chosen = createCustomIds();
  let count = 0;
  for await (const { customId, codes } of readFailures(blobs, batch)) {
    if (wanted !== null && !codes.some((code) => wanted.has(code))) continue;
    if (only !== null && !only.has(customId)) continue;
    count += 1;
    chosen.firstLine(customId, count);
  }
  return { has: (customId) => chosen.lineOf(customId) !== null, count };
}

/** The chosen lines of an input file, byte for byte. */
export async function* chosenLines(
  blobs: BlobStore,
  input: FileContent,
  chosen: Chosen,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const { bytes } of linesOf(readContent(blobs, input))) {
    const { custom_id: customId } = JSON.parse(bytes.toString('utf8')) as { custom_id: string };
    if (chosen.has(customId)) yield Buffer.concat([bytes, NEW_LINE]);
  }
}

const NEW_LINE = Buffer.from('\n');
