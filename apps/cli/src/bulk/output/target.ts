import { createWriteStream } from 'node:fs';
import { access, constants, open, realpath, rename, rm, stat } from 'node:fs/promises';
import { once } from 'node:events';
import { dirname, resolve } from 'node:path';
import { finished } from 'node:stream/promises';
import { UsageError } from '../../flags.ts';
import { CommandError } from '../exit-codes.ts';

/** Where results go. */
export interface Target {
  /** For people and for commands to copy: the path as it was given, or `-`. */
  readonly name: string;
  open(): Promise<Sink>;
}

interface Sink {
  write(chunk: Uint8Array | string): Promise<void>;
  /** Makes it complete: only now a file has its name. */
  commit(): Promise<void>;
  /** Leaves nothing behind. Does nothing after `commit`. */
  discard(): Promise<void>;
}

/**
 * A file that appears when it is complete, or the standard output for `-`. What can be known to be wrong is found now, before hours
 * of work.
 * @throws UsageError
 */
export async function targetOf(
  name: string,
  { force, input, stdout }: { force: boolean; input: string | null; stdout: NodeJS.WritableStream },
): Promise<Target> {
  if (name === '-') return { name, open: async () => streamSink(stdout) };
  const found = await stat(name).catch(() => null);
  if (found?.isDirectory() === true) throw new UsageError(`-o ${name}: this is a folder`);
  if (found !== null && !found.isFile()) {
    // A device or a pipe cannot be replaced, only written to.
    return { name, open: async () => streamSink(createWriteStream(name), true) };
  }
  const path = found === null ? resolve(name) : await realpath(name);
  if (found !== null && input !== null && path === (await realpath(input).catch(() => null))) {
    throw new UsageError(`-o ${name}: this is the input`);
  }
  const whyNot = async (): Promise<string | null> =>
    !force && (await stat(path).catch(() => null)) !== null
      ? `-o ${name}: this file is there already; choose another name, or --force to replace it`
      : null;
  const isThere = await whyNot();
  if (isThere !== null) throw new UsageError(isThere);
  await access(dirname(path), constants.W_OK).catch(() => {
    throw new UsageError(
      `-o ${name}: the folder ${dirname(path)} is not there, or cannot be written to`,
    );
  });
  return { name, open: async () => await fileSink(path, name, whyNot) };
}

/** Written beside its target, and renamed when it is on the disk. One that a kill left behind is replaced by the next. */
async function fileSink(
  path: string,
  name: string,
  whyNot: () => Promise<string | null>,
): Promise<Sink> {
  const temporary = `${path}.tmp`;
  await rm(temporary, { force: true });
  const file = await open(temporary, 'wx');
  let isOver = false;
  return {
    write: async (chunk) => {
      await file.appendFile(chunk);
    },
    commit: async () => {
      await file.sync();
      const [mine, there] = await Promise.all([file.stat(), stat(temporary).catch(() => null)]);
      if (mine.ino !== there?.ino) {
        throw new CommandError(`${name}: another command writes to this file at the same time`);
      }
      const why = await whyNot();
      if (why !== null) throw new CommandError(why);
      await rename(temporary, path);
      isOver = true;
      await file.close();
    },
    discard: async () => {
      if (isOver) return;
      isOver = true;
      const mine = await file.stat();
      await file.close();
      const there = await stat(temporary).catch(() => null);
      if (mine.ino === there?.ino) await rm(temporary, { force: true });
    },
  };
}

function streamSink(stream: NodeJS.WritableStream, ends = false): Sink {
  return {
    write: async (chunk) => {
      if (!stream.write(chunk)) await once(stream, 'drain');
    },
    commit: async () => {
      if (!ends) return;
      stream.end();
      await finished(stream);
    },
    discard: async () => {},
  };
}
