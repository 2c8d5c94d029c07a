import type { BlobStore } from '@nightshift/blobs';
import { validateInput, type InputLine } from '@nightshift/shared/batch';
import type { Endpoint } from '@nightshift/shared/job';
import type { InputPlace } from '@nightshift/shared/redis';

export interface InputRequestLine {
  line: number;
  customId: string;
  model: string;
  body: string;
  parsed: Readonly<Record<string, unknown>>;
  /** Where the next line is to be read from. */
  endBytes: number;
}

/** Reads the requests of an input that has been validated, from where a conductor stands. */
export async function* readRequests(
  blobs: BlobStore,
  input: string,
  endpoint: Endpoint,
  { line, bytes }: Pick<InputPlace, 'line' | 'bytes'>,
): AsyncGenerator<InputRequestLine, void, undefined> {
  // What is left of the line that was read last, its line feed, is read as an empty first line.
  const before = line === 0 ? 0 : line - 1;
  const limits = { requests: Number.MAX_SAFE_INTEGER, lineBytes: Number.MAX_SAFE_INTEGER };
  const lines: AsyncGenerator<InputLine> = validateInput(blobs.read(input, { start: bytes }), {
    endpoint,
    limits,
    isRead: true,
  });
  for await (const read of lines) {
    if (read.kind === 'error') {
      // Only what the file as a whole lacks can be missing now: it has been read to its end.
      if (read.line === null) return;
      throw new Error(`line ${read.line + before} of ${input} is not what it was: ${read.code}`);
    }
    yield {
      line: read.line + before,
      customId: read.customId,
      model: read.model,
      body: read.bodyText,
      parsed: read.body,
      endBytes: bytes + read.byteOffset + read.byteLength,
    };
  }
}
