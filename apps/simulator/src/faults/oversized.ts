import { crc32, constants, deflateRawSync } from 'node:zlib';
import type { Exchange } from '../exchange.ts';

const BLOCK = Buffer.alloc(1_000_000, 'x');
const ENDLESS_EVERY_MS = 10;

/** A good answer with so many megabytes more in it, where its text is or else as white space. */
export function sendHuge(
  exchange: Exchange,
  contentType: string,
  body: string,
  megabytes: number,
): void {
  const { before, after, filler } = splitForFiller(body);
  exchange.open(200, ['content-type', contentType]);
  exchange.response.write(before);
  writeAll(exchange, blocks(filler, megabytes), () => exchange.response.end(after));
}

/**
 * The same as one gzip member whose blocks are one deflated megabyte sent again and again: each
 * block ends with a full flush, so it needs nothing of what came before and costs no time here.
 */
export function sendGzipBomb(
  exchange: Exchange,
  contentType: string,
  body: string,
  megabytes: number,
): void {
  const { before, after, filler } = splitForFiller(body);
  const squeezed = new Map([[filler.length, deflateBlock(filler)]]);
  let checksum = 0;
  let length = 0;
  const squeeze = (bytes: Buffer): Buffer => {
    checksum = crc32(bytes, checksum);
    length += bytes.length;
    return squeezed.get(bytes.length) ?? deflateBlock(bytes);
  };
  const header = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);
  exchange.open(200, ['content-type', contentType, 'content-encoding', 'gzip']);
  exchange.response.write(Buffer.concat([header, squeeze(Buffer.from(before))]));
  const middle = mapped(blocks(filler, megabytes), squeeze);
  writeAll(exchange, middle, () => {
    const last = squeeze(Buffer.from(after));
    const trailer = Buffer.alloc(8);
    trailer.writeUInt32LE(checksum, 0);
    trailer.writeUInt32LE(length % 0x1_0000_0000, 4);
    exchange.response.end(Buffer.concat([last, deflateRawSync(''), trailer]));
  });
}

/** Never ends: a token every 10 ms for a stream, else a JSON string that is never closed. */
export function sendEndless(exchange: Exchange, isStream: boolean): void {
  const { response } = exchange;
  const start = { id: 'endless', object: 'chat.completion.chunk', created: 0, model: 'endless' };
  const choices = [{ index: 0, delta: { content: 'on and on ' }, finish_reason: null }];
  const piece = isStream ? `data: ${JSON.stringify({ ...start, choices })}\n\n` : 'on and on ';
  exchange.open(200, ['content-type', isStream ? 'text/event-stream' : 'application/json']);
  response.write(isStream ? piece : '{"id":"endless","choices":[{"message":{"content":"');
  const timer = setInterval(() => {
    if (!response.writableNeedDrain) response.write(piece);
  }, ENDLESS_EVERY_MS);
  exchange.whenGone(() => clearInterval(timer));
}

/** Where a body can be blown up and stay good JSON. */
function splitForFiller(body: string): { before: string; after: string; filler: Buffer } {
  const text = body.indexOf('[call:');
  const at = text < 0 ? body.indexOf('{') + 1 : text;
  const filler = text < 0 ? Buffer.alloc(BLOCK.length, ' ') : BLOCK;
  return { before: body.slice(0, at), after: body.slice(at), filler };
}

function* blocks(filler: Buffer, megabytes: number): Generator<Buffer> {
  let left = Math.round(megabytes * BLOCK.length);
  for (; left > 0; left -= BLOCK.length)
    yield left < BLOCK.length ? filler.subarray(0, left) : filler;
}

function* mapped(items: Iterable<Buffer>, map: (item: Buffer) => Buffer): Generator<Buffer> {
  for (const item of items) yield map(item);
}

function deflateBlock(bytes: Buffer): Buffer {
  return deflateRawSync(bytes, { finishFlush: constants.Z_FULL_FLUSH, level: 9 });
}

/** Writes at the caller's pace, so that a slow reader fills no memory here. */
function writeAll(exchange: Exchange, items: Iterator<Buffer>, last: () => void): void {
  const { response } = exchange;
  const go = (): void => {
    while (!exchange.gone) {
      const next = items.next();
      if (next.done) {
        last();
        exchange.end('broken');
        return;
      }
      if (!response.write(next.value)) {
        response.once('drain', go);
        return;
      }
    }
  };
  go();
}
