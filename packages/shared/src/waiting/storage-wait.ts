import { quote } from './words.ts';

/** What a conductor says when it cannot get past the blob store. @param where `file:/var/lib/blobs`, `s3://bucket` */
export function storageMessage(kind: 'full' | 'unavailable', where: string, why: string): string {
  const [state, remedy] =
    kind === 'full'
      ? ['is full', 'Free space there']
      : ['cannot be used', 'Check that it is there and that the workers may write to it'];
  return `The blob store ${where} ${state}: ${quote(why)}. ${remedy}; it is tried again every second.`;
}

/** `ENOSPC: no space left on device` of `ENOSPC: no space left on device, write`: what differs from try to try is left out. */
export function causeOf(error: Error): string {
  const cause = error.cause instanceof Error ? error.cause : error;
  const { code } = cause as NodeJS.ErrnoException;
  const text = code === undefined ? `${cause.name}: ${cause.message}` : cause.message;
  return text.split(', ', 1)[0] ?? text;
}
