import { BlobStoreFullError, BlobStoreUnavailableError } from '../errors.ts';

const full = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

/** Runs what touches the disk, and names its failures. One that is no answer of the system goes through as it is. */
export async function onDisk<T>(what: string, touch: () => Promise<T>): Promise<T> {
  try {
    return await touch();
  } catch (error) {
    throw named(error, what);
  }
}

function named(error: unknown, what: string): unknown {
  if (!(error instanceof Error) || !('syscall' in error)) return error;
  const message = `${what}: ${error.message}`;
  return full.has(codeOf(error) ?? '')
    ? new BlobStoreFullError(message, { cause: error })
    : new BlobStoreUnavailableError(message, { cause: error });
}

export function isMissing(error: unknown): boolean {
  return codeOf(error) === 'ENOENT';
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | null)?.code;
}
