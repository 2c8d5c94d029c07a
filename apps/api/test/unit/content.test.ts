import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseRange } from '../../src/content/byte-range.ts';
import { attachment } from '../../src/content/content-disposition.ts';
import { sendBytes } from '../../src/content/send-bytes.ts';

describe('a range', () => {
  const whole = { kind: 'whole' } as const;
  const beyond = { kind: 'unsatisfiable' } as const;
  const range = (start: number, end: number) => ({ kind: 'range', start, end }) as const;

  it.each([
    [undefined, 10, whole],
    ['bytes=0-3', 10, range(0, 4)],
    ['bytes=3-', 10, range(3, 10)],
    ['bytes=3-99', 10, range(3, 10)],
    ['bytes=-3', 10, range(7, 10)],
    ['bytes=-99', 10, range(0, 10)],
    ['bytes=9-9', 10, range(9, 10)],
    ['bytes=10-', 10, beyond],
    ['bytes=-0', 10, beyond],
    ['bytes=0-', 0, beyond],
    ['bytes=-1', 0, beyond],
    ['bytes=5-3', 10, whole],
    ['bytes=-', 10, whole],
    ['bytes=1-2,4-5', 10, whole],
    ['lines=1-2', 10, whole],
    ['bytes=a-b', 10, whole],
    ['bytes=99999999999999999999-', 10, whole],
  ])('%j of %i bytes', (header, bytes, expected) => {
    expect(parseRange(header, bytes)).toEqual(expected);
  });

  it('is never empty and never beyond the end', () => {
    fc.assert(
      fc.property(fc.nat(50), fc.nat(50), fc.nat(40), (first, last, bytes) => {
        for (const text of [`${first}-${last}`, `${first}-`, `-${last}`]) {
          const parsed = parseRange(`bytes=${text}`, bytes);
          if (parsed.kind !== 'range') continue;
          expect(parsed.start).toBeLessThan(parsed.end);
          expect(parsed.end).toBeLessThanOrEqual(bytes);
        }
      }),
    );
  });
});

describe('the name of a download', () => {
  it.each([
    ['in.jsonl', 'attachment; filename="in.jsonl"'],
    ['a"b\\c.jsonl', `attachment; filename="a_b_c.jsonl"; filename*=UTF-8''a%22b%5Cc.jsonl`],
    ["é'(1).txt", `attachment; filename="__(1).txt"; filename*=UTF-8''%C3%A9%27%281%29.txt`],
  ])('%j', (name, header) => {
    expect(attachment(name)).toBe(header);
  });

  it('breaks out of no header, and can be read back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (name) => {
        const header = attachment(name);
        expect(header).toMatch(/^[\x20-\x7e]+$/);
        expect(header.match(/"/g)?.length).toBe(2);
        const [, exact] = /filename\*=UTF-8''(\S*)$/.exec(header) ?? [];
        expect(exact === undefined ? /"(.*)"/.exec(header)?.[1] : decodeURIComponent(exact)).toBe(
          name.toWellFormed(),
        );
      }),
    );
  });
});

it('a source whose reader leaves before the first byte is closed', async () => {
  let isClosed = false;
  async function* source(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      yield Buffer.from('a');
      yield Buffer.from('b');
    } finally {
      isClosed = true;
    }
  }
  let stream: { destroy: () => void; once: (event: string, then: () => void) => void } | undefined;
  const reply = {
    send: (given: typeof stream) => {
      stream = given;
      return reply;
    },
  };
  await sendBytes(reply as never, source());
  const closed = new Promise<void>((resolve) => stream?.once('close', resolve));
  stream?.destroy();
  await closed;
  await Promise.resolve();
  expect(isClosed).toBe(true);
});
