import { createHash, randomUUID } from 'node:crypto';
import type { BatchDryRun } from '@nightshift/shared/http';
import { canonicalJson } from '@nightshift/shared/json';
import type { Accepted, BatchFields } from './client.ts';
import type { BulkInput } from './input/prepare.ts';
import type { Session } from './session.ts';

type Calls = Pick<Session, 'client' | 'patience'>;

/** How a run is known again when its command is given again. */
export type RunKey =
  /** Every submission is its own. */
  | { kind: 'new' }
  /** The caller's. */
  | { kind: 'given'; key: string }
  /** By what is sent and where its results go: after a crash the same command takes up the same batch. */
  | { kind: 'derived'; output: string };

const hashOf = (content: unknown): string =>
  createHash('sha256').update(canonicalJson(content)).digest('hex');

/** Uploads an input and creates its batch. Every call can be repeated: each has its idempotency key. */
export async function submitInput(
  calls: Calls,
  input: BulkInput,
  fields: BatchFields,
  runKey: RunKey,
): Promise<Accepted> {
  const { client, patience } = calls;
  const fileId = await upload(calls, input, runKey.kind === 'new' ? randomUUID() : fileKey(input));
  const body = { ...fields, endpoint: input.endpoint, input_file_id: fileId };
  let key = batchKey(runKey, body);
  for (;;) {
    const accepted = await patience.with(async () => await client.create(body, key));
    const { batch, isReplay } = accepted;
    const isDead = batch.status === 'failed' || batch.status === 'cancelled';
    if (!isReplay || !isDead || runKey.kind !== 'derived') return accepted;
    // Nothing will come of that one: the command, given again, asks for another.
    key = hashOf({ key, after: batch.id });
  }
}

/** What a submission would lead to. The file that it takes is removed again. */
export async function dryRunInput(
  calls: Calls,
  input: BulkInput,
  fields: BatchFields,
): Promise<BatchDryRun> {
  const { client, patience } = calls;
  const fileId = await upload(calls, input, randomUUID());
  try {
    const body = { ...fields, endpoint: input.endpoint, input_file_id: fileId };
    return await patience.with(async () => await client.dryRun(body));
  } finally {
    await client.removeFile(fileId).catch(() => {});
  }
}

async function upload({ client, patience }: Calls, input: BulkInput, key: string): Promise<string> {
  return await patience.with(async () => {
    try {
      return await client.upload(input.open(), input.filename, key);
    } catch (error) {
      // The file that this key stands for was deleted since: then it is another one.
      if ((error as { status?: unknown }).status !== 404) throw error;
      return await client.upload(input.open(), input.filename, randomUUID());
    }
  });
}

const fileKey = ({ sha256, filename }: BulkInput): string => hashOf({ sha256, filename });

function batchKey(runKey: RunKey, body: BatchFields): string {
  switch (runKey.kind) {
    case 'new':
      return randomUUID();
    case 'given':
      return runKey.key;
    case 'derived':
      return hashOf({ body, output: runKey.output });
  }
}
