import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { realpath, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { SettingError } from '@nightshift/shared/config';

export interface DataLock {
  /** Whoever held it before was killed: what it started may need some seconds to end. */
  readonly wasLeftBehind: boolean;
  /** Can be called twice. */
  release(): Promise<void>;
}

/** Not TMPDIR: it may differ between two shells. A path below the data folder may be too long for a socket. */
const LOCK_DIR = '/tmp';

/**
 * Holds a data folder for this process. The lock is a listening socket, which the kernel closes with its process
 * however that ends; a file with a process id would point to somebody else after a restart of the machine.
 * @param holder what somebody else is told who wants the same folder: "process 17, http://127.0.0.1:3000"
 * @throws SettingError when another process on this machine holds it
 */
export async function lockDataDir(dataDir: string, holder: string): Promise<DataLock> {
  const folder = await realpath(dataDir);
  const digest = createHash('sha256').update(folder).digest('hex').slice(0, 16);
  const path = join(LOCK_DIR, `nightshift-${digest}.sock`);
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.end(holder);
  });
  let wasLeftBehind = false;
  for (let tries = 1; ; tries += 1) {
    try {
      server.listen(path);
      await once(server, 'listening');
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || tries === 3) throw error;
    }
    const other = await askHolder(path);
    if (other !== null) {
      throw new SettingError(
        `NIGHTSHIFT_DATA_DIR: ${folder} is in use by another stack (${other}): ` +
          'stop that one, or set NIGHTSHIFT_DATA_DIR to another folder',
      );
    }
    wasLeftBehind = true;
    await rm(path, { force: true });
  }
  // The lock alone must not keep a process alive that has nothing else to do.
  server.unref();
  let released: Promise<void> | undefined;
  return {
    wasLeftBehind,
    release: async () => {
      released ??= new Promise((resolve) => server.close(() => resolve()));
      await released;
    },
  };
}

/** What the holder says about itself, or null when nobody listens any more. */
async function askHolder(path: string): Promise<string | null> {
  const socket = connect(path);
  socket.setTimeout(2000, () => socket.destroy());
  try {
    await once(socket, 'connect');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ECONNREFUSED' || code === 'ENOENT' ? null : 'of another user';
  }
  return (await text(socket).catch(() => '')) || 'it does not say which';
}
