import { quote } from './words.ts';

/** The message of a conductor that the blob store stops. @param where `file:/var/lib/blobs`, `s3://bucket` */
export function storageMessage(kind: 'full' | 'unavailable', where: string, why: string): string {
  const [state, remedy] =
    kind === 'full'
      ? ['is full', 'Free space there']
      : ['cannot be used', 'Check that it exists and that the workers may write to it'];
  return `The blob store ${where} ${state}: ${quote(why)}. ${remedy}; it is retried every second.`;
}

/** The cause without the part that varies between tries: `ENOSPC: no space left on device` of `ENOSPC: no space left on device, write`. */
export function causeOf(error: Error): string {
  const cause = error.cause instanceof Error ? error.cause : error;
  const { code } = cause as NodeJS.ErrnoException;
  const text = code === undefined ? `${cause.name}: ${cause.message}` : cause.message;
  return text.split(', ', 1)[0] ?? text;
}
