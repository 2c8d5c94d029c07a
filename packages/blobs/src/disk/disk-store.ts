import nodeFs from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { systemClock, type Clock } from '@nightshift/shared/clock';
import type { BlobEntry, BlobStore } from '../blob-store.ts';
import { blocksInPlace } from '../blocks.ts';
import { BlobDamagedError } from '../errors.ts';
import { checkGroup, checkName, checkRange, TEMPORARY } from '../names.ts';
import { createSegmentWriter } from '../segment-writer.ts';
import { makeFolder, readFile, syncFolder, writeAt, writeWhole, type Disk } from './files.ts';
import { isMissing, onDisk } from './system-errors.ts';

export interface DiskStoreOptions {
  root: string;
  clock?: Clock;
  disk?: Disk;
}

/** One write of a put. Larger ones gain nothing. */
const BLOCK_BYTES = 1_048_576;

/** Files below a folder, `blobs/GROUP/LEAF` and `segments/GROUP/LEAF`. Makes the folder, so a wrong one shows at once. */
export async function openDiskStore(options: DiskStoreOptions): Promise<BlobStore> {
  const { clock = systemClock, disk = nodeFs } = options;
  const root = resolve(options.root);
  const blobs = join(root, 'blobs');
  const segments = join(root, 'segments');
  for (const folder of [root, blobs, segments]) await makeFolder(disk, folder);

  const pathOf = (folder: string, name: string): string => {
    checkName(name);
    return join(folder, name);
  };

  return {
    gather: { bytes: 4_194_304, forMs: 200 },

    put: async (name, source, limits = {}) => {
      const path = pathOf(blobs, name);
      limits.signal?.throwIfAborted();
      const blocks = blocksInPlace(name, source, BLOCK_BYTES, limits);
      return { bytes: await writeWhole(disk, path, blocks) };
    },

    async *read(name, range = { start: 0 }) {
      checkRange(range);
      yield* readFile(name, pathOf(blobs, name), range.start, range.end ?? Infinity);
    },

    size: async (name) => {
      const found = await statOrNull(pathOf(blobs, name));
      return found === null ? null : found.bytes;
    },

    remove: async (name) => {
      const path = pathOf(blobs, name);
      await onDisk(path, async () => await nodeFs.rm(path, { force: true }));
    },

    async *list(prefix) {
      for await (const { name, path } of leaves(blobs, prefix)) {
        if (!name.startsWith(prefix) || name.endsWith(TEMPORARY)) continue;
        // Gone since: removed by another.
        const found = await statOrNull(path);
        if (found !== null) yield { name, ...found };
      }
    },

    openSegment: async (name) => {
      const path = pathOf(segments, name);
      await makeFolder(disk, dirname(path));
      const file = await onDisk(path, async () => await disk.open(path, 'wx'));
      await syncFolder(disk, dirname(path));
      return createSegmentWriter(name, {
        writeAt: async (offset, bytes) =>
          await onDisk(path, async () => {
            await writeAt(file, offset, bytes);
            await file.datasync();
          }),
        close: async () => await file.close(),
      });
    },

    async *readSegment(name, { start, end }) {
      checkRange({ start, end });
      let at = start;
      for await (const chunk of readFile(name, pathOf(segments, name), start, end)) {
        at += chunk.length;
        yield chunk;
      }
      if (at < end) throw new BlobDamagedError(name, end, at);
    },

    removeSegment: async (name) => {
      const path = pathOf(segments, name);
      await onDisk(path, async () => await nodeFs.rm(path, { force: true }));
    },

    removeSegments: async (group) => {
      checkGroup(group);
      const path = join(segments, group);
      await onDisk(path, async () => await nodeFs.rm(path, { recursive: true, force: true }));
    },

    sweepTemporary: async (olderThanMs) => {
      let removed = 0;
      for await (const { name, path } of leaves(blobs, '')) {
        if (!name.endsWith(TEMPORARY)) continue;
        const found = await statOrNull(path);
        if (found === null || clock.now() - found.modifiedAtMs < olderThanMs) continue;
        await onDisk(path, async () => await nodeFs.rm(path, { force: true }));
        removed += 1;
      }
      return removed;
    },

    close: async () => {},
  };
}

async function statOrNull(path: string): Promise<Omit<BlobEntry, 'name'> | null> {
  return await onDisk(path, async () => {
    try {
      const { size, mtimeMs } = await nodeFs.stat(path);
      return { bytes: size, modifiedAtMs: mtimeMs };
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  });
}

/** All files of the groups that can hold names with this beginning. */
async function* leaves(
  folder: string,
  prefix: string,
): AsyncGenerator<{ name: string; path: string }, void, undefined> {
  const [wanted = '', rest] = prefix.split('/', 2);
  for await (const group of entries(folder)) {
    if (rest === undefined ? !group.startsWith(wanted) : group !== wanted) continue;
    const path = join(folder, group);
    for await (const leaf of entries(path)) {
      yield { name: `${group}/${leaf}`, path: join(path, leaf) };
    }
  }
}

async function* entries(path: string): AsyncGenerator<string, void, undefined> {
  const folder = await onDisk(path, async () => {
    try {
      return await nodeFs.opendir(path);
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  });
  if (folder === null) return;
  for await (const { name } of folder) yield name;
}
