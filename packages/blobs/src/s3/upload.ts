import { randomUUID } from 'node:crypto';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  PutObjectCommand,
  UploadPartCommand,
  type CompletedPart,
} from '@aws-sdk/client-s3';
import type { Bucket } from './client.ts';

/** Every part but the last, as some services want it; S3 takes 5 MiB to 5 GiB, and 10,000 of them. */
export const PART_BYTES = 8_388_608;
const PARTS_AT_ONCE = 3;

/** In one request when it fits into a part, else in parts. Nothing is there before the last request. */
export async function upload(
  bucket: Bucket,
  name: string,
  path: string,
  parts: AsyncGenerator<Buffer, void, undefined>,
  signal?: AbortSignal,
): Promise<number> {
  try {
    const first = await parts.next();
    const second = first.done === true ? first : await parts.next();
    if (first.done !== true && second.done !== true) {
      return await inParts(bucket, name, path, [first.value, second.value], parts, signal);
    }
    const Body = first.done === true ? Buffer.alloc(0) : first.value;
    await putObject(bucket, name, path, Body, signal);
    return Body.length;
  } finally {
    await parts.return();
  }
}

/** Sent again after a time-out it writes the same once more. */
export async function putObject(
  bucket: Bucket,
  name: string,
  path: string,
  Body: Uint8Array,
  signal?: AbortSignal,
): Promise<void> {
  const { Bucket } = bucket;
  const command = new PutObjectCommand({
    Bucket,
    Key: bucket.key(path),
    Body,
    ContentLength: Body.length,
  });
  await bucket.send(name, command, signal);
}

async function inParts(
  bucket: Bucket,
  name: string,
  path: string,
  first: readonly Buffer[],
  rest: AsyncIterable<Buffer>,
  signal: AbortSignal | undefined,
): Promise<number> {
  const at = { Bucket: bucket.Bucket, Key: bucket.key(path) };
  const uploadId = randomUUID();
  const { UploadId } = await bucket.send(
    name,
    new CreateMultipartUploadCommand({ ...at, Metadata: { 'upload-id': uploadId } }),
    signal,
  );
  const running = new Set<Promise<void>>();
  const done: CompletedPart[] = [];
  let bytes = 0;
  let failure: { reason: unknown } | null = null;
  const send = (Body: Buffer): void => {
    const PartNumber = done.length + 1;
    const part: CompletedPart = { PartNumber };
    done.push(part);
    bytes += Body.length;
    const command = new UploadPartCommand({ ...at, UploadId, PartNumber, Body });
    const sent = bucket.send(name, command, signal).then(
      ({ ETag }) => {
        part.ETag = ETag;
        running.delete(sent);
      },
      (reason: unknown) => {
        failure ??= { reason };
        running.delete(sent);
      },
    );
    running.add(sent);
  };
  const sendInTurn = async (Body: Buffer): Promise<void> => {
    while (running.size >= PARTS_AT_ONCE) await Promise.race(running);
    if (failure !== null) throw failure.reason;
    send(Body);
  };
  try {
    for (const part of first) await sendInTurn(part);
    for await (const part of rest) await sendInTurn(part);
    await Promise.all(running);
    // Set from within a callback, which the compiler does not see.
    const failed = failure as { reason: unknown } | null;
    if (failed !== null) throw failed.reason;
    signal?.throwIfAborted();
    await complete(bucket, name, { ...at, UploadId }, done, uploadId);
    return bytes;
  } catch (error) {
    await Promise.all(running);
    // What is left now is the sweep's.
    await bucket.send(name, new AbortMultipartUploadCommand({ ...at, UploadId })).catch(() => {});
    throw error;
  }
}

/** The answer can get lost, and a second try then finds no upload any more: whether the object is ours tells its metadata. */
async function complete(
  bucket: Bucket,
  name: string,
  at: { Bucket: string; Key: string; UploadId: string | undefined },
  Parts: CompletedPart[],
  uploadId: string,
): Promise<void> {
  try {
    await bucket.send(
      name,
      new CompleteMultipartUploadCommand({ ...at, MultipartUpload: { Parts } }),
    );
  } catch (error) {
    const found = await bucket
      .send(name, new HeadObjectCommand({ Bucket: at.Bucket, Key: at.Key }))
      .catch(() => null);
    if (found?.Metadata?.['upload-id'] !== uploadId) throw error;
  }
}
