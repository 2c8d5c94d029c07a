import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openBlobStore } from '@nightshift/blobs';
import type { Batch, ResultSegment } from '@nightshift/shared/batch';
import { createTestApi, type Answer, type TestApiOptions } from './api.ts';
import { createFakeBatches, createFakeFiles } from './fake-batches.ts';

export interface BatchSeen {
  id: string;
  status: string;
  input_file_id: string;
  [field: string]: unknown;
}

export type BatchApi = Awaited<ReturnType<typeof createBatchApi>>;

/** The API with batches: their records in memory, their files on a disk, a conductor's moves to play with. */
export async function createBatchApi(redisUrl: string, options: TestApiOptions = {}) {
  const root = await mkdtemp(join(tmpdir(), 'nightshift-batches-'));
  const blobs = await openBlobStore(`file:${root}`, {});
  const files = createFakeFiles();
  const batches = createFakeBatches(files);
  const api = await createTestApi(redisUrl, { batching: { batches, files, blobs }, ...options });
  let number = 0;

  const upload = async (
    text: string,
    { purpose = 'batch', tenant = 'default' } = {},
  ): Promise<string> => {
    number += 1;
    const id = `file-${String(number).padStart(32, '0')}`;
    const name = `files/${id}`;
    const { bytes } = await blobs.put(name, oneChunk(Buffer.from(text)));
    const content = { kind: 'blob', name } as const;
    await files.create({
      id,
      tenant,
      filename: 'in.jsonl',
      purpose,
      bytes,
      expiresAfterMs: null,
      content,
    });
    return id;
  };
  const create = async (fields: Record<string, unknown> = {}): Promise<BatchSeen> => {
    const answer = await api.post('/v1/batches', {
      endpoint: '/v1/chat/completions',
      completion_window: '24h',
      ...fields,
    });
    if (answer.statusCode !== 200) throw new Error(answer.body);
    return answer.json<BatchSeen>();
  };
  /** Commits lines to a segment of their own, as one epoch of a conductor. */
  const commit = async (
    id: string,
    part: 'output' | 'failures',
    lines: readonly string[],
  ): Promise<Batch> => {
    number += 1;
    const name = `${id.replaceAll('_', '-')}/${part}-${number}`;
    const segment = await blobs.openSegment(name);
    const text = lines.map((line) => `${line}\n`).join('');
    const bytes = await segment.append(Buffer.from(text));
    // A dead conductor's leftover: beyond what was committed, so nobody may see it.
    await segment.append(Buffer.from('{"id":"batch_req_zombie","custom_id":"zombie'));
    await segment.close();
    const batch = await batches.get('default', id);
    if (batch === null) throw new Error(`no batch ${id}`);
    const committed: ResultSegment = { name, bytes, lines: lines.length };
    const counts = { ...batch.counts };
    if (part === 'output') counts.completed += lines.length;
    else counts.failed += lines.length;
    return batches.move(id, { counts, [part]: [...batch[part], committed] });
  };

  return {
    ...api,
    blobs,
    files,
    batches,
    upload,
    create,
    commit,
    /** Every blob, by its name. */
    allBlobs: async (): Promise<string[]> => {
      const names: string[] = [];
      for await (const { name } of blobs.list('')) names.push(name);
      return names.toSorted();
    },
    textOf: async (fileId: string): Promise<string> => {
      const chunks: Uint8Array[] = [];
      for await (const chunk of blobs.read(`files/${fileId}`)) chunks.push(chunk);
      return Buffer.concat(chunks).toString();
    },
    close: async (): Promise<void> => {
      await api.close();
      await blobs.close();
      await rm(root, { recursive: true, force: true });
    },
  };
}

/** A line of an input file. */
export function inputLine(customId: string, body: Record<string, unknown> = {}): string {
  return JSON.stringify({
    custom_id: customId,
    method: 'POST',
    url: '/v1/chat/completions',
    body: { model: 'gpt-test', messages: [{ role: 'user', content: customId }], ...body },
  });
}

export function inputFile(count: number): string {
  return Array.from({ length: count }, (_, n) => `${inputLine(`c-${n}`)}\n`).join('');
}

export function outputLine(customId: string, padding = ''): string {
  const response = { status_code: 200, request_id: 'req_1', body: { answer: customId, padding } };
  return JSON.stringify({
    id: `batch_req_${customId}`,
    custom_id: customId,
    response,
    error: null,
  });
}

/** A line of the error file: what the provider refused, or what never got an answer. */
export function failureLine(
  customId: string,
  failure: number | string,
  body: unknown = {},
): string {
  const id = `batch_req_${customId}`;
  return JSON.stringify(
    typeof failure === 'number'
      ? {
          id,
          custom_id: customId,
          response: { status_code: failure, request_id: null, body },
          error: null,
        }
      : {
          id,
          custom_id: customId,
          response: null,
          error: { code: failure, message: `It ${failure}.` },
        },
  );
}

export function errorOf(answer: Answer): Record<string, unknown> {
  return answer.json<{ error: Record<string, unknown> }>().error;
}

async function* oneChunk(bytes: Buffer): AsyncGenerator<Uint8Array, void, undefined> {
  if (bytes.length > 0) yield bytes;
}
