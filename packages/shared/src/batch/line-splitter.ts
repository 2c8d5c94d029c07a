import type { LinePlace } from './input-line.ts';

export interface SplitLine extends LinePlace {
  /** Null when the line is longer than allowed: its bytes were dropped as they came. */
  bytes: Buffer | null;
}

export interface LineSplitter {
  /** The lines that this chunk completes. All of them must be taken before the next chunk. */
  push(chunk: Uint8Array): Generator<SplitLine, void, undefined>;
  /** The last line, if no line feed ended it. */
  end(): SplitLine | null;
}

const LINE_FEED = 10;
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);
const NOTHING = Buffer.alloc(0);

/**
 * Cuts a byte stream at its line feeds and nowhere else: U+2028 and a bare carriage return may stand within a line. What is
 * held between two chunks is one unfinished line of at most `mostLineBytes`.
 */
export function createLineSplitter(mostLineBytes: number): LineSplitter {
  let line = 1;
  let byteOffset = 0;
  let byteLength = 0;
  let pieces: Buffer[] = [];

  const take = (piece: Buffer): void => {
    byteLength += piece.length;
    if (byteLength > mostLineBytes) pieces = [];
    else if (piece.length > 0) pieces.push(piece);
  };
  const finish = (): SplitLine => {
    const bytes = byteLength > mostLineBytes ? null : joined(pieces);
    const marked = line === 1 && bytes?.subarray(0, 3).equals(BYTE_ORDER_MARK) === true;
    const split: SplitLine = marked
      ? { line, byteOffset: 3, byteLength: byteLength - 3, bytes: bytes.subarray(3) }
      : { line, byteOffset, byteLength, bytes };
    line += 1;
    byteOffset += byteLength + 1;
    byteLength = 0;
    pieces = [];
    return split;
  };

  return {
    *push(given) {
      const chunk = Buffer.from(given.buffer, given.byteOffset, given.byteLength);
      let from = 0;
      for (;;) {
        const end = chunk.indexOf(LINE_FEED, from);
        if (end < 0) break;
        take(chunk.subarray(from, end));
        yield finish();
        from = end + 1;
      }
      take(chunk.subarray(from));
    },
    end: () => (byteLength > 0 ? finish() : null),
  };
}

function joined(pieces: readonly Buffer[]): Buffer {
  return pieces.length > 1 ? Buffer.concat(pieces) : (pieces[0] ?? NOTHING);
}
