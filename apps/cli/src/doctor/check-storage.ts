import { randomUUID } from 'node:crypto';
import { access, constants, stat, statfs } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import {
  configuredLocation,
  openConfiguredBlobs,
  type BlobLocation,
  type BlobStore,
} from '@nightshift/blobs';
import { bytes } from '../bulk/format.ts';
import { note, ok, wrong, type Check } from './check.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Less than a few uploads of the maximum size. */
const LITTLE_BYTES = 1_000_000_000;
const NAME = 'storage';

/** Writes, reads and removes a small blob in the configured store. @throws SettingError */
export async function checkStorage(environment: Environment): Promise<Check> {
  const location = configuredLocation(environment);
  if (location.kind === 'file' && !(await exists(location.path))) {
    return await checkMissingFolder(resolve(location.path));
  }
  const place = placeOf(location);
  const store = await openConfiguredBlobs(environment).catch((error: unknown) => error as Error);
  if (store instanceof Error) return faultOf(place, store);
  try {
    await tryBlob(store);
  } catch (error) {
    return faultOf(place, error as Error);
  } finally {
    await store.close();
  }
  if (location.kind === 's3') return ok(NAME, `${place} can be written, read and deleted`);
  return judgeSpace(place, await freeBytes(location.path));
}

async function tryBlob(store: BlobStore): Promise<void> {
  const name = `doctor/${randomUUID()}`;
  const content = Buffer.from('nightshift doctor');
  try {
    await store.put(name, piecesOf(content));
    const chunks: Uint8Array[] = [];
    for await (const chunk of store.read(name)) chunks.push(chunk);
    if (!Buffer.concat(chunks).equals(content))
      throw new Error('it returned other bytes than were written');
  } finally {
    await store.remove(name).catch(() => {});
  }
}

async function* piecesOf(content: Uint8Array): AsyncGenerator<Uint8Array> {
  yield content;
}

function faultOf(place: string, error: Error): Check {
  const isFull = error.name === 'BlobStoreFullError';
  return wrong(
    'storage',
    NAME,
    `Storage at ${place} ${isFull ? 'is full' : 'cannot be used'}: ${error.message}`,
    isFull
      ? 'Free space there. Meanwhile results wait in Redis, and nothing is lost.'
      : 'Set NIGHTSHIFT_BLOBS or NIGHTSHIFT_DATA_DIR to a place that the API and the workers can write to.',
  );
}

export function judgeSpace(place: string, free: number): Check {
  const message = `${place} can be written, read and deleted; ${bytes(free)} free`;
  return free < LITTLE_BYTES
    ? note(NAME, message, 'Free space there before a large upload.')
    : ok(NAME, message);
}

/** Does not create the folder: the API and the workers do at their start, and they may use another one. */
async function checkMissingFolder(path: string): Promise<Check> {
  let above = dirname(path);
  while (!(await exists(above))) above = dirname(above);
  const isFolder = (await stat(above)).isDirectory();
  const isWritable = await access(above, constants.W_OK).then(
    () => true,
    () => false,
  );
  if (!isFolder) return faultOf(path, new Error(`${above} is not a folder`));
  if (!isWritable) return faultOf(path, new Error(`${above} cannot be written to`));
  return note(
    NAME,
    `${path} does not exist; the API and the workers create it when they start`,
    'If they use another folder, set NIGHTSHIFT_DATA_DIR or NIGHTSHIFT_BLOBS to the same value.',
  );
}

const exists = async (path: string): Promise<boolean> =>
  await stat(path).then(
    () => true,
    () => false,
  );

const freeBytes = async (path: string): Promise<number> => {
  const { bavail, bsize } = await statfs(path);
  return bavail * bsize;
};

const placeOf = (location: BlobLocation): string =>
  location.kind === 'file'
    ? resolve(location.path)
    : `s3://${[location.bucket, location.prefix].filter((part) => part !== '').join('/')}`;
