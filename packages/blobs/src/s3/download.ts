import type { Readable } from 'node:stream';
import {
  GetObjectCommand,
  HeadObjectCommand,
  type GetObjectCommandOutput,
} from '@aws-sdk/client-s3';
import { systemClock, type Clock } from '@nightshift/shared/clock';
import { BlobNotFoundError, BlobStoreUnavailableError } from '../errors.ts';
import { statusOf, type Bucket } from './client.ts';

/** Broken connections in a row without a byte between them. */
const MOST_BREAKS = 5;
const BREAK_WAIT_MS = 200;

const RANGE_NOT_SATISFIABLE = 416;
const PRECONDITION_FAILED = 412;

/** An object's bytes. A connection that breaks is taken up where it broke, if the object is still the same. */
export async function* download(
  bucket: Bucket,
  name: string,
  path: string,
  range: { start: number; end: number },
  clock: Clock = systemClock,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (range.start >= range.end) {
    if ((await head(bucket, name, path)) === null) throw new BlobNotFoundError(name);
    return;
  }
  let at = range.start;
  let version: string | undefined;
  let breaks = 0;
  for (;;) {
    const answer = await get(bucket, name, path, { start: at, end: range.end }, version);
    if (answer === null) return;
    version ??= answer.ETag;
    const expected = at + (answer.ContentLength ?? 0);
    const broken = yield* bytesOf(answer.Body as Readable, (count) => {
      at += count;
      breaks = 0;
    });
    if (broken === null && at >= expected) return;
    breaks += 1;
    if (breaks > MOST_BREAKS) {
      throw new BlobStoreUnavailableError(
        `blob ${name}: object storage broke off ${breaks} times at byte ${at}`,
        { cause: broken },
      );
    }
    await clock.sleep(Math.random() * BREAK_WAIT_MS * 2 ** breaks);
  }
}

/** Returns what broke the stream, null at its end. */
async function* bytesOf(
  body: Readable,
  count: (bytes: number) => void,
): AsyncGenerator<Uint8Array, unknown, undefined> {
  try {
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      count(chunk.length);
      yield chunk;
    }
    return null;
  } catch (error) {
    return error;
  }
}

/** Null when the range begins behind the object's end. */
async function get(
  bucket: Bucket,
  name: string,
  path: string,
  { start, end }: { start: number; end: number },
  IfMatch: string | undefined,
): Promise<GetObjectCommandOutput | null> {
  const isWhole = start === 0 && end === Infinity;
  const command = new GetObjectCommand({
    Bucket: bucket.Bucket,
    Key: bucket.key(path),
    // An empty object has no first byte: asked for as a range it would be refused.
    ...(!isWhole && { Range: `bytes=${start}-${end === Infinity ? '' : end - 1}` }),
    ...(IfMatch !== undefined && { IfMatch }),
  });
  try {
    return await bucket.send(name, command);
  } catch (error) {
    const status = statusOf((error as Error).cause);
    if (status === RANGE_NOT_SATISFIABLE) return null;
    if (status === PRECONDITION_FAILED) {
      throw new BlobStoreUnavailableError(`blob ${name}: was replaced while it was read`, {
        cause: error,
      });
    }
    throw error;
  }
}

/** Null when there is no such object. */
export async function head(bucket: Bucket, name: string, path: string): Promise<number | null> {
  try {
    const { ContentLength } = await bucket.send(
      name,
      new HeadObjectCommand({ Bucket: bucket.Bucket, Key: bucket.key(path) }),
    );
    return ContentLength ?? 0;
  } catch (error) {
    if (error instanceof BlobNotFoundError) return null;
    throw error;
  }
}
