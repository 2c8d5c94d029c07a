import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { TextDecoder } from 'node:util';
import { InputProblem } from './input-problem.ts';

/**
 * The text of a file, chunk by chunk. A byte-order mark tells UTF-8 from UTF-16, and is not part of the text; without one it
 * is UTF-8 unless `encoding` says otherwise.
 * @throws InputProblem where bytes are no text in that encoding.
 */
export async function* decodeText({
  name,
  path,
  encoding,
}: {
  name: string;
  path: string;
  encoding: string | null;
}): AsyncGenerator<string, void, undefined> {
  let decoder: TextDecoder | null = null;
  let lines = 1;
  const decode = (bytes: Buffer | null): string => {
    decoder ??= new TextDecoder(encoding ?? encodingOf(bytes ?? Buffer.alloc(0)), { fatal: true });
    try {
      const text = bytes === null ? decoder.decode() : decoder.decode(bytes, { stream: true });
      if (text.includes('\0')) throw new TypeError('a NUL is no text');
      lines += text.split('\n').length - 1;
      return text;
    } catch {
      throw new InputProblem(
        `${name}, line ${lines} or after: this is not ${decoder.encoding.toUpperCase()} text: save the file as UTF-8, or name its encoding, such as --encoding windows-1252`,
      );
    }
  };
  for await (const chunk of createReadStream(path)) yield decode(chunk as Buffer);
  yield decode(null);
}

const encodingOf = (start: Uint8Array): string => markedEncoding(start) ?? 'utf-8';

/** The encoding that a byte-order mark names; null without a mark. */
export function markedEncoding(start: Uint8Array): 'utf-8' | 'utf-16le' | 'utf-16be' | null {
  if (start[0] === 0xff && start[1] === 0xfe) return 'utf-16le';
  if (start[0] === 0xfe && start[1] === 0xff) return 'utf-16be';
  return start[0] === 0xef && start[1] === 0xbb && start[2] === 0xbf ? 'utf-8' : null;
}

/** Whether a text file, read in this encoding, begins with a byte-order mark. */
export async function hasByteOrderMark({
  path,
  encoding,
}: {
  path: string;
  encoding: string | null;
}): Promise<boolean> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(new Uint8Array(3), 0, 3, 0);
    const marked = markedEncoding(buffer.subarray(0, bytesRead));
    return marked !== null && (encoding === null || new TextDecoder(encoding).encoding === marked);
  } finally {
    await file.close();
  }
}

/** Whether there is an encoding of that name. */
export function isEncoding(name: string): boolean {
  try {
    return new TextDecoder(name).encoding !== '';
  } catch {
    return false;
  }
}
