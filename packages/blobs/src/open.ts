import { parseEnvironment, SettingError } from '@nightshift/shared/config';
import { z } from 'zod';
import type { BlobStore } from './blob-store.ts';
import { openDiskStore } from './disk/disk-store.ts';
import { parseBlobLocation, type BlobLocation } from './location.ts';
import type { S3Settings } from './s3/client.ts';

type Environment = Readonly<Record<string, string | undefined>>;

const endpoint = z.url({
  protocol: /^https?$/,
  error: 'must be an http or https URL such as http://127.0.0.1:9000',
});

/** The usual variables of AWS's own tools, as far as they concern us. */
const awsEnvironment = z.object({
  AWS_ENDPOINT_URL_S3: endpoint.optional(),
  AWS_ENDPOINT_URL: endpoint.optional(),
  AWS_REGION: z.string().optional(),
  AWS_DEFAULT_REGION: z.string().optional(),
  AWS_ACCESS_KEY_ID: z.string().optional(),
  AWS_SECRET_ACCESS_KEY: z.string().optional(),
  AWS_SESSION_TOKEN: z.string().optional(),
});

/**
 * Opens what `NIGHTSHIFT_BLOBS` names.
 * @throws SettingError that names the variable, what was given and what is allowed; BlobStoreUnavailableError when a
 * folder cannot be made.
 */
export async function openBlobStore(given: string, environment: Environment): Promise<BlobStore> {
  const location = parseBlobLocation(given);
  if (location.kind === 'file') return await openDiskStore({ root: location.path });
  const settings = readS3Settings(location, environment);
  // Loading the SDK takes as long as starting a process; who keeps files on a disk does not wait for it.
  const { openS3Store } = await import('./s3/s3-store.ts');
  return openS3Store(settings);
}

/**
 * Opens the store that a process is told to use: `NIGHTSHIFT_BLOBS`, or `blobs` in `NIGHTSHIFT_DATA_DIR` (`./data`).
 * @throws as openBlobStore
 */
export async function openConfiguredBlobs(environment: Environment): Promise<BlobStore> {
  return await openBlobStore(configuredBlobsAt(environment), environment);
}

/** The location of the configured store. @throws SettingError */
export const configuredLocation = (environment: Environment): BlobLocation =>
  parseBlobLocation(configuredBlobsAt(environment));

/** The same location as text: `file:PATH` or `s3://BUCKET/PREFIX`. */
export function configuredBlobsAt(environment: Environment): string {
  const dataDir = environment['NIGHTSHIFT_DATA_DIR'] || './data';
  return environment['NIGHTSHIFT_BLOBS'] || `file:${dataDir}/blobs`;
}

/** @throws SettingError */
export function readS3Settings(
  { bucket, prefix }: { bucket: string; prefix: string },
  environment: Environment,
): S3Settings {
  const given = parseEnvironment(awsEnvironment, environment);
  const endpoint = given.AWS_ENDPOINT_URL_S3 ?? given.AWS_ENDPOINT_URL ?? null;
  return {
    bucket,
    prefix,
    endpoint,
    // It is part of the signature, also for a service that has only one.
    region:
      given.AWS_REGION ?? given.AWS_DEFAULT_REGION ?? (endpoint === null ? null : 'us-east-1'),
    credentials: credentialsOf(given),
  };
}

function credentialsOf(given: z.infer<typeof awsEnvironment>): S3Settings['credentials'] {
  const { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret, AWS_SESSION_TOKEN: token } = given;
  if (id === undefined && secret === undefined) return null;
  if (id === undefined || secret === undefined) {
    const [missing, present] =
      id === undefined
        ? ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']
        : ['AWS_SECRET_ACCESS_KEY', 'AWS_ACCESS_KEY_ID'];
    throw new SettingError(`${missing}: must be set when ${present} is, got nothing`);
  }
  return {
    accessKeyId: id,
    secretAccessKey: secret,
    ...(token !== undefined && { sessionToken: token }),
  };
}
