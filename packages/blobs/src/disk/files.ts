import { randomUUID } from 'node:crypto';
import nodeFs, { type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { BlobNotFoundError } from '../errors.ts';
import { TEMPORARY } from '../names.ts';
import { isMissing, onDisk } from './system-errors.ts';

/** The calls that change a disk; a test hands in its own to see their order or to make them fail. */
export type Disk = Pick<typeof nodeFs, 'mkdir' | 'open' | 'rename' | 'unlink'>;

const READ_BYTES = 262_144;

/**
 * Writes a file under a temporary name beside it, and gives it its name when all of it is on the disk. The order is the
 * promise: a rename that overtakes the data would show a file with holes after a power cut, and one whose folder was not
 * synced may be gone.
 */
export async function writeWhole(
  disk: Disk,
  path: string,
  blocks: AsyncIterable<Uint8Array>,
): Promise<number> {
  await makeFolder(disk, dirname(path));
  const temporary = `${path}.${randomUUID()}${TEMPORARY}`;
  const file = await onDisk(path, async () => await disk.open(temporary, 'wx'));
  try {
    let bytes = 0;
    try {
      for await (const block of blocks) {
        await onDisk(path, async () => await writeAt(file, bytes, block));
        bytes += block.length;
      }
      await onDisk(path, async () => await file.sync());
    } finally {
      await file.close();
    }
    await onDisk(path, async () => await disk.rename(temporary, path));
    await syncFolder(disk, dirname(path));
    return bytes;
  } catch (error) {
    // The failure is what counts. A temporary file that cannot be removed now is the sweep's.
    await disk.unlink(temporary).catch(() => {});
    throw error;
  }
}

/** All of it: a single write may take a part. */
export async function writeAt(
  file: FileHandle,
  position: number,
  bytes: Uint8Array,
): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}

/** Makes a folder so that it outlives a power cut. */
export async function makeFolder(disk: Disk, path: string): Promise<void> {
  await onDisk(path, async () => await disk.mkdir(path, { recursive: true }));
  await syncFolder(disk, dirname(path));
}

export async function syncFolder(disk: Disk, path: string): Promise<void> {
  await onDisk(path, async () => {
    const folder = await disk.open(path, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  });
}

/** The bytes from `start` to `end`, or to the end of the file. */
export async function* readFile(
  name: string,
  path: string,
  start: number,
  end: number,
): AsyncGenerator<Buffer, void, undefined> {
  const file = await openToRead(name, path);
  try {
    for (let at = start; at < end;) {
      const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, end - at));
      const position = at;
      const { bytesRead } = await onDisk(
        path,
        async () => await file.read(buffer, 0, buffer.length, position),
      );
      if (bytesRead === 0) return;
      at += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

async function openToRead(name: string, path: string): Promise<FileHandle> {
  try {
    return await nodeFs.open(path, 'r');
  } catch (error) {
    if (isMissing(error)) throw new BlobNotFoundError(name, { cause: error });
    return await onDisk(path, async () => await Promise.reject(error as Error));
  }
}
