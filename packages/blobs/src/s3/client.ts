import {
  S3Client,
  S3ServiceException,
  type ServiceInputTypes,
  type ServiceOutputTypes,
} from '@aws-sdk/client-s3';
import { BlobNotFoundError, BlobStoreFullError, BlobStoreUnavailableError } from '../errors.ts';

export interface S3Settings {
  bucket: string;
  /** Without slashes at its ends; '' for the whole bucket. */
  prefix: string;
  /** Of the service itself; AWS's own for the region when null. */
  endpoint: string | null;
  region: string | null;
  /** Null: the SDK looks where it always does (profiles, web identity, the instance). */
  credentials: { accessKeyId: string; secretAccessKey: string; sessionToken?: string } | null;
  /** Of one try: until its answer begins, and between two pieces of a body. */
  timeoutMs?: number;
}

/** Around a bucket: keys under the prefix, failures with names, and what the SDK's commands need. */
export interface Bucket {
  Bucket: string;
  /** The key of what lies under the prefix. */
  key(path: string): string;
  /** The path under the prefix. */
  path(key: string): string;
  send<Input extends ServiceInputTypes, Output extends ServiceOutputTypes>(
    what: string,
    command: Command<Input, Output>,
    signal?: AbortSignal,
  ): Promise<Output>;
  close(): void;
}

/** The part of the SDK's commands that its client takes. */
type Command<Input extends ServiceInputTypes, Output extends ServiceOutputTypes> = Parameters<
  typeof S3Client.prototype.send<Input, Output>
>[0];

/** 5xx, 503 SlowDown, resets and time-outs are tried again after a random wait that doubles, 20 s at most. */
const MOST_TRIES = 6;

export function openBucket(settings: S3Settings): Bucket {
  const { bucket, prefix, endpoint, region, credentials, timeoutMs = 60_000 } = settings;
  const client = new S3Client({
    ...(region !== null && { region }),
    ...(credentials !== null && { credentials }),
    // A service of one's own has no DNS entry for each bucket.
    ...(endpoint !== null && { endpoint, forcePathStyle: true }),
    maxAttempts: MOST_TRIES,
    // Bodies are signed by their SHA-256 anyway; checksums beyond that are what other services often lack.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // It would take a new connection for each part.
    expectContinueHeader: false,
    requestHandler: {
      connectionTimeout: Math.min(5000, timeoutMs),
      requestTimeout: timeoutMs,
      throwOnRequestTimeout: true,
      socketTimeout: timeoutMs,
    },
  });
  const base = prefix === '' ? '' : `${prefix}/`;
  return {
    Bucket: bucket,
    key: (path) => base + path,
    path: (key) => key.slice(base.length),
    send: async (what, command, signal) => {
      try {
        return await client.send(command, signal === undefined ? {} : { abortSignal: signal });
      } catch (error) {
        if (signal?.aborted === true) throw signal.reason;
        throw namedFailure(error, what);
      }
    },
    close: () => client.destroy(),
  };
}

const fullCodes = new Set(['InsufficientStorage', 'QuotaExceeded', 'XMinioStorageFull']);

function namedFailure(error: unknown, what: string): Error {
  const { name, message } = error as Error;
  if (isMissing(error)) return new BlobNotFoundError(what, { cause: error });
  const told = `blob ${what}: object storage says ${name}: ${message}`;
  return statusOf(error) === 507 || fullCodes.has(name)
    ? new BlobStoreFullError(told, { cause: error })
    : new BlobStoreUnavailableError(told, { cause: error });
}

/** A bucket that does not exist is a 404 too, but no missing blob. An answer to HEAD has no code to tell. */
function isMissing(error: unknown): boolean {
  const name = (error as Error).name;
  return name === 'NoSuchKey' || name === 'NotFound';
}

export function statusOf(error: unknown): number | null {
  return error instanceof S3ServiceException ? (error.$metadata.httpStatusCode ?? null) : null;
}
