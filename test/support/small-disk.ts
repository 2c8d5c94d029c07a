import { execFile } from 'node:child_process';
import { appendFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface SmallDisk {
  path: string;
  /** Until not one more byte fits. */
  fill(): Promise<void>;
  free(): Promise<void>;
  /** Nothing may have a file open on it. */
  stop(): Promise<void>;
}

/** A disk of so many megabytes, in memory. Needs Linux, and root. */
export async function mountSmallDisk(megabytes: number): Promise<SmallDisk> {
  const path = await mkdtemp(join(tmpdir(), 'nightshift-small-disk-'));
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', path]);
  } catch (error) {
    await rm(path, { recursive: true });
    throw new Error(`this test fills a disk of its own, and must be root on Linux to mount one`, {
      cause: error,
    });
  }
  const filler = join(path, 'filler');
  return {
    path,
    fill: async () => {
      for (const size of [65_536, 4096, 1]) {
        for (let isFull = false; !isFull;) isFull = !(await fits(filler, size));
      }
    },
    free: async () => rm(filler),
    stop: async () => {
      await run('umount', [path]);
      await rm(path, { recursive: true });
    },
  };
}

async function fits(file: string, bytes: number): Promise<boolean> {
  return await appendFile(file, Buffer.alloc(bytes)).then(
    () => true,
    (error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return false;
      throw error;
    },
  );
}
