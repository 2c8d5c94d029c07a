import nodeFs, { type FileHandle } from 'node:fs/promises';
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { openDiskStore } from '../../src/disk/disk-store.ts';
import type { Disk } from '../../src/disk/files.ts';
import { BlobStoreFullError, BlobStoreUnavailableError } from '../../src/index.ts';
import { describeBlobStore, many, pieces, text } from '../support/conformance.ts';

const folders: string[] = [];
const newFolder = async (): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'nightshift-blobs-'));
  folders.push(folder);
  return folder;
};
afterAll(async () => {
  await Promise.all(folders.map(async (folder) => await rm(folder, { recursive: true })));
});

const filesIn = async (root: string): Promise<string[]> =>
  (await readdir(root, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map(({ name }) => name);

describeBlobStore('on a disk', async () => {
  const root = await newFolder();
  return {
    store: await openDiskStore({ root }),
    leftovers: async () => (await filesIn(root)).filter((name) => name.endsWith('.tmp')),
  };
});

/** A disk that notes what it is asked for, and fails where `fail` says so. */
function watchedDisk(fail: (call: string) => string | null = () => null): {
  disk: Disk;
  calls: string[];
} {
  const calls: string[] = [];
  const note = (call: string, path: unknown): void => {
    const what = `${call} ${String(path)
      .split('/')
      .slice(-2)
      .join('/')
      .replaceAll(/\.[0-9a-f-]{36}/g, '')}`;
    calls.push(what);
    const code = fail(what);
    if (code !== null) throw Object.assign(new Error(`${code}: made up`), { code, syscall: call });
  };
  const disk: Disk = {
    mkdir: (async (...args: Parameters<typeof nodeFs.mkdir>) => {
      note('mkdir', args[0]);
      return await nodeFs.mkdir(...args);
    }) as Disk['mkdir'],
    rename: async (from, to) => {
      note('rename', to);
      await nodeFs.rename(from, to);
    },
    unlink: async (path) => {
      note('unlink', path);
      await nodeFs.unlink(path);
    },
    open: async (path, flags) => {
      note('open', path);
      const file = await nodeFs.open(path, flags);
      const noted =
        <Args extends unknown[], Result>(call: string, real: (...args: Args) => Promise<Result>) =>
        async (...args: Args): Promise<Result> => {
          note(call, path);
          return await real.apply(file, args);
        };
      return Object.assign(Object.create(file) as FileHandle, {
        write: noted('write', file.write as (...args: unknown[]) => Promise<unknown>),
        sync: noted('sync', file.sync),
        datasync: noted('datasync', file.datasync),
        close: async () => await file.close(),
      });
    },
  };
  return { disk, calls };
}

describe('the order of what is done to the disk', () => {
  test('a blob gets its name after its data is synced; then the folder is synced', async () => {
    const { disk, calls } = watchedDisk();
    const store = await openDiskStore({ root: await newFolder(), disk });
    calls.length = 0;
    await store.put('files/x', pieces('abc'));
    expect(calls).toEqual([
      'mkdir blobs/files',
      expect.stringContaining('open '),
      expect.stringMatching(/^sync .*\/blobs$/),
      'open files/x.tmp',
      'write files/x.tmp',
      'sync files/x.tmp',
      'rename files/x',
      'open blobs/files',
      'sync blobs/files',
    ]);
  });

  test('an append is one write and one sync of the data', async () => {
    const { disk, calls } = watchedDisk();
    const store = await openDiskStore({ root: await newFolder(), disk });
    const segment = await store.openSegment('batch-1/1');
    expect(calls.slice(-4)).toEqual([
      expect.stringMatching(/^sync .*\/segments$/),
      'open batch-1/1',
      'open segments/batch-1',
      'sync segments/batch-1',
    ]);
    calls.length = 0;
    await segment.append(Buffer.from('abc'));
    expect(calls).toEqual(['write batch-1/1', 'datasync batch-1/1']);
    await segment.close();
  });
});

describe('a disk that fails', () => {
  test.each([
    ['ENOSPC', BlobStoreFullError],
    ['EDQUOT', BlobStoreFullError],
    ['EACCES', BlobStoreUnavailableError],
    ['EROFS', BlobStoreUnavailableError],
    ['EIO', BlobStoreUnavailableError],
  ])('%s in a put is named, and leaves nothing, whatever failed', async (code, kind) => {
    for (const call of ['open files/x.tmp', 'write files/x.tmp', 'sync files/x.tmp', 'rename']) {
      let failing = true;
      const { disk } = watchedDisk((what) => (failing && what.startsWith(call) ? code : null));
      const root = await newFolder();
      const store = await openDiskStore({ root, disk });
      const put = store.put('files/x', many(3_000_000, 100_000));
      await expect(put).rejects.toThrow(kind);
      await expect(put).rejects.toThrow(code);
      expect(await filesIn(root)).toEqual([]);
      expect(await store.size('files/x')).toBeNull();
      failing = false;
      expect(await store.put('files/x', pieces('now'))).toEqual({ bytes: 3 });
    }
  });

  test('after an append that failed the segment takes no more, and keeps what it had', async () => {
    for (const call of ['write batch-1/1', 'datasync batch-1/1']) {
      let failing = false;
      const { disk } = watchedDisk((what) => (failing && what === call ? 'ENOSPC' : null));
      const store = await openDiskStore({ root: await newFolder(), disk });
      const segment = await store.openSegment('batch-1/1');
      await segment.append(Buffer.from('kept'));
      failing = true;
      await expect(segment.append(Buffer.from('lost'))).rejects.toThrow(BlobStoreFullError);
      failing = false;
      await expect(segment.append(Buffer.from('more'))).rejects.toThrow('nothing more');
      await segment.close();
      expect(await text(store.readSegment('batch-1/1', { start: 0, end: 4 }))).toBe('kept');
      const next = await store.openSegment('batch-1/2');
      expect(await next.append(Buffer.from('lost'))).toBe(4);
      await next.close();
    }
  });

  test('an error of the source is not taken for one of the store', async () => {
    const store = await openDiskStore({ root: await newFolder() });
    const reason = Object.assign(new Error('elsewhere'), { code: 'ENOSPC', syscall: 'read' });
    const failing = async function* (): AsyncGenerator<Uint8Array> {
      yield Buffer.from('x');
      throw reason;
    };
    await expect(store.put('files/x', failing())).rejects.toBe(reason);
  });

  test('a folder that cannot be made is found at the opening', async () => {
    const file = join(await newFolder(), 'a-file');
    await writeFile(file, '');
    await expect(openDiskStore({ root: join(file, 'blobs') })).rejects.toThrow(
      BlobStoreUnavailableError,
    );
  });
});

test('the sweep removes temporary files that are old enough, and nothing else', async () => {
  const root = await newFolder();
  const store = await openDiskStore({ root });
  await store.put('files/kept', pieces('x'));
  const group = join(root, 'blobs/files');
  for (const name of ['old.1.tmp', 'young.2.tmp']) await writeFile(join(group, name), 'half');
  const anHourAgo = new Date(Date.now() - 3_600_000);
  await utimes(join(group, 'old.1.tmp'), anHourAgo, anHourAgo);
  await utimes(join(group, 'kept'), anHourAgo, anHourAgo);
  expect(await store.sweepTemporary(600_000)).toBe(1);
  expect((await filesIn(root)).toSorted()).toEqual(['kept', 'young.2.tmp']);
  expect(await store.sweepTemporary(0)).toBe(1);
  expect(await text(store.read('files/kept'))).toBe('x');
});

test('what lies on the disk is the bytes, so that a person can look', async () => {
  const root = await newFolder();
  const store = await openDiskStore({ root });
  await store.put('files/file-1', pieces('{}\n'));
  const segment = await store.openSegment('batch-1/1.output');
  await segment.append(Buffer.from('line\n'));
  await segment.close();
  expect(await readFile(join(root, 'blobs/files/file-1'), 'utf8')).toBe('{}\n');
  expect(await readFile(join(root, 'segments/batch-1/1.output'), 'utf8')).toBe('line\n');
});
