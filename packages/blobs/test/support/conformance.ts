import { createHash } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  BlobDamagedError,
  BlobNotFoundError,
  BlobTooLargeError,
  readSegments,
  type BlobEntry,
  type BlobStore,
} from '../../src/index.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

export async function* pieces(...parts: (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield typeof part === 'string' ? Buffer.from(part) : part;
}

/** Deterministic bytes that no window of looks like another. */
export async function* many(bytes: number, chunkBytes: number): AsyncGenerator<Uint8Array> {
  let state = 1;
  for (let sent = 0; sent < bytes; sent += chunkBytes) {
    const chunk = Buffer.alloc(Math.min(chunkBytes, bytes - sent));
    for (let at = 0; at + 4 <= chunk.length; at += 4) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      chunk.writeUInt32LE(state, at);
    }
    yield chunk;
  }
}

export async function text(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString('latin1');
}

async function digest(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of stream) hash.update(chunk);
  return hash.digest('hex');
}

async function entries(store: BlobStore, prefix: string): Promise<BlobEntry[]> {
  const found: BlobEntry[] = [];
  for await (const entry of store.list(prefix)) found.push(entry);
  return found.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

const names = async (store: BlobStore, prefix: string): Promise<string[]> =>
  (await entries(store, prefix)).map(({ name }) => name);

const endless = async function* (closed: () => void): AsyncGenerator<Uint8Array> {
  try {
    for (;;) yield Buffer.alloc(65_536, 'x');
  } finally {
    closed();
  }
};

/**
 * What every blob store does. `open` gives an empty one; `leftovers` what lies in it beside whole blobs: temporary files,
 * unfinished uploads.
 */
export function describeBlobStore(
  title: string,
  open: () => Promise<{ store: BlobStore; leftovers: () => Promise<string[]> }>,
): void {
  // Real fsyncs and real requests, on a machine that may be busy.
  describe(title, { timeout: 60_000 }, () => {
    let store: BlobStore;
    let leftovers: () => Promise<string[]>;
    beforeAll(async () => {
      ({ store, leftovers } = await open());
    });
    afterAll(async () => {
      expect(await leftovers()).toEqual([]);
      await store.close();
      await store.close();
    });

    describe('a blob', () => {
      test('reads back as it was put, and has its size', async () => {
        expect(await store.put('a/round-trip', pieces('hello ', '', 'world'))).toEqual({
          bytes: 11,
        });
        expect(await text(store.read('a/round-trip'))).toBe('hello world');
        expect(await store.size('a/round-trip')).toBe(11);
      });

      test('may be empty', async () => {
        expect(await store.put('a/empty', pieces())).toEqual({ bytes: 0 });
        expect(await store.size('a/empty')).toBe(0);
        expect(await text(store.read('a/empty'))).toBe('');
        expect(await text(store.read('a/empty', { start: 0, end: 10 }))).toBe('');
        expect(await text(store.read('a/empty', { start: 5 }))).toBe('');
      });

      test('of 50 MB, whatever the size of the pieces, passes in bounded memory', async () => {
        const bytes = 50_000_003;
        const before = process.memoryUsage().arrayBuffers;
        let most = 0;
        let sinceBytes = 0;
        const watched = async function* (
          source: AsyncIterable<Uint8Array>,
        ): AsyncGenerator<Uint8Array> {
          for await (const chunk of source) {
            sinceBytes += chunk.length;
            // What is held is asked for, not what has not been collected yet.
            if (sinceBytes >= 4_000_000) {
              sinceBytes = 0;
              collectGarbage();
              most = Math.max(most, process.memoryUsage().arrayBuffers - before);
            }
            yield chunk;
          }
        };
        const source = watched(many(bytes, 70_001));
        expect(await store.put('a/large', source)).toEqual({ bytes });
        expect(await digest(watched(store.read('a/large')))).toBe(
          await digest(many(bytes, 70_001)),
        );
        expect(most).toBeLessThan(100_000_000);
        const part = { start: 30_000_001, end: 40_000_002 };
        expect(await digest(store.read('a/large', part))).toBe(
          await digest(skip(many(bytes, 70_001), part)),
        );
      });

      test.each([8_388_607, 8_388_608, 8_388_609, 16_777_216])(
        'of %i bytes, at the edge of a part, is whole',
        async (bytes) => {
          expect(await store.put('a/edge', many(bytes, 1_000_000))).toEqual({ bytes });
          expect(await digest(store.read('a/edge'))).toBe(await digest(many(bytes, 1_000_000)));
        },
      );

      test('that does not exist: no size, no bytes, nothing to remove', async () => {
        expect(await store.size('a/none')).toBeNull();
        for (const range of [undefined, { start: 0, end: 1 }, { start: 3, end: 3 }]) {
          await expect(text(store.read('a/none', range))).rejects.toThrow(BlobNotFoundError);
        }
        await expect(text(store.read('no-such-group/none'))).rejects.toThrow(BlobNotFoundError);
        await store.remove('a/none');
        await store.remove('no-such-group/none');
      });

      test('can be removed, twice', async () => {
        await store.put('a/removed', pieces('x'));
        await store.remove('a/removed');
        await store.remove('a/removed');
        expect(await store.size('a/removed')).toBeNull();
        expect(await names(store, 'a/removed')).toEqual([]);
      });

      test('is replaced by a second put as a whole', async () => {
        await store.put('a/replaced', pieces('a long first version'));
        await store.put('a/replaced', pieces('short'));
        expect(await text(store.read('a/replaced'))).toBe('short');
        expect(await store.size('a/replaced')).toBe(5);
      });

      test('of concurrent puts is the whole of one', async () => {
        const versions = ['a', 'b', 'c', 'd', 'e'].map((letter, at) => letter.repeat(100_000 + at));
        await Promise.all(
          versions.map(async (version) => await store.put('a/contested', pieces(version))),
        );
        expect(versions).toContain(await text(store.read('a/contested')));
      });

      test('that is read while it is replaced is never half and half', async () => {
        const size = 3_000_000;
        await store.put('a/swapped', pieces(Buffer.alloc(size, 'a')));
        const reading = store.read('a/swapped');
        const first = await reading.next();
        await store.put('a/swapped', pieces(Buffer.alloc(size, 'b')));
        const rest = await text(reading);
        expect(new Set(Buffer.from(first.value ?? []).toString('latin1') + rest)).toEqual(
          new Set(['a']),
        );
      });

      test('can be left in the middle of a read', async () => {
        await store.put('a/left', many(5_000_000, 100_000));
        for await (const chunk of store.read('a/left')) {
          expect(chunk.length).toBeGreaterThan(0);
          break;
        }
        expect(await store.size('a/left')).toBe(5_000_000);
      });
    });

    test('a range is half-open, and clipped to the blob', async () => {
      await store.put('a/digits', pieces('0123456789'));
      await fc.assert(
        fc.asyncProperty(
          fc.nat(13),
          fc.option(fc.nat(13), { nil: undefined }),
          async (start, end) => {
            const range = end === undefined ? { start } : { start, end };
            expect(await text(store.read('a/digits', range))).toBe(
              start > (end ?? Infinity) ? '' : '0123456789'.slice(start, end),
            );
          },
        ),
        { numRuns: 60 },
      );
      for (const range of [{ start: -1 }, { start: 0.5 }, { start: 0, end: -1 }]) {
        await expect(text(store.read('a/digits', range))).rejects.toThrow(RangeError);
      }
    });

    describe('a put that comes to nothing', () => {
      const put = async (name: string, source: AsyncIterable<Uint8Array>, more = {}) => {
        await store.put(name, pieces('before'));
        const failure = await store.put(name, source, more).then(
          () => null,
          (error: unknown) => error,
        );
        expect(await text(store.read(name))).toBe('before');
        expect(await leftovers()).toEqual([]);
        return failure;
      };

      test.each([1, 20_000_000])('the source fails after %i bytes', async (bytes) => {
        const failing = async function* (): AsyncGenerator<Uint8Array> {
          yield* many(bytes, 1_000_000);
          throw new Error('the caller hung up');
        };
        expect(await put('b/failing', failing())).toEqual(new Error('the caller hung up'));
        await expect(store.put('b/never', failing())).rejects.toThrow('the caller hung up');
        expect(await store.size('b/never')).toBeNull();
      });

      test('more bytes than allowed; exactly as many are fine', async () => {
        let closed = 0;
        const failure = await put(
          'b/too-large',
          endless(() => (closed += 1)),
          {
            maxBytes: 20_000_000,
          },
        );
        expect(failure).toBeInstanceOf(BlobTooLargeError);
        expect(closed).toBe(1);
        expect(await store.put('b/fits', pieces('12345'), { maxBytes: 5 })).toEqual({ bytes: 5 });
        expect(await put('b/one-more', pieces('123', '456'), { maxBytes: 5 })).toBeInstanceOf(
          BlobTooLargeError,
        );
      });

      test('aborted before, between and while the source is silent', async () => {
        const reason = new Error('enough');
        expect(await put('b/a', pieces('x'), { signal: AbortSignal.abort(reason) })).toBe(reason);

        const controller = new AbortController();
        const noisy = async function* (): AsyncGenerator<Uint8Array> {
          yield* many(20_000_000, 1_000_000);
          controller.abort(reason);
          yield* many(20_000_000, 1_000_000);
        };
        expect(await put('b/b', noisy(), { signal: controller.signal })).toBe(reason);

        const silent = new AbortController();
        const mute: AsyncIterable<Uint8Array> = {
          [Symbol.asyncIterator]: () => ({
            next: async () => {
              setImmediate(() => silent.abort(reason));
              return await new Promise<never>(() => {});
            },
          }),
        };
        expect(await put('b/c', mute, { signal: silent.signal })).toBe(reason);
      });
    });

    describe('a list', () => {
      test('has the blobs of a prefix, with size and time, and not the segments', async () => {
        const startedAtMs = Date.now();
        for (const name of ['list/a', 'list/a1', 'list/b', 'list2/a', 'lis/a']) {
          await store.put(name, pieces(name));
        }
        const segment = await store.openSegment('list/segment');
        await segment.append(Buffer.from('x'));
        await segment.close();
        expect(await names(store, 'list/')).toEqual(['list/a', 'list/a1', 'list/b']);
        expect(await names(store, 'list/a')).toEqual(['list/a', 'list/a1']);
        expect(await names(store, 'list')).toEqual(['list/a', 'list/a1', 'list/b', 'list2/a']);
        expect(await names(store, 'lis')).toContain('lis/a');
        expect(await names(store, '')).toContain('list2/a');
        expect(await names(store, 'nothing/')).toEqual([]);
        const [first] = await entries(store, 'list/a');
        expect(first?.bytes).toBe(6);
        // A store may keep whole seconds, on a clock of its own.
        expect(Math.abs((first?.modifiedAtMs ?? 0) - startedAtMs)).toBeLessThan(60_000);
      });

      test('has more than a page of 1,000', async () => {
        const all = Array.from({ length: 1205 }, (_, at) => `paged/${String(at).padStart(5, '0')}`);
        for (let from = 0; from < all.length; from += 50) {
          await Promise.all(
            all.slice(from, from + 50).map(async (name) => await store.put(name, pieces('x'))),
          );
        }
        expect(await names(store, 'paged/')).toEqual(all);
      });
    });

    test.each([
      '',
      'a',
      'a/',
      '/a',
      'a/b/c',
      '../a',
      'a/..',
      './a',
      'a/.hidden',
      'A/a',
      'a/é',
      'a/b c',
      'a/b\n',
      'a/b\0',
      'a\\b/c',
      'a/x.tmp',
      'a/%2e%2e',
      `a/${'x'.repeat(129)}`,
    ])('%j is no name', async (name) => {
      await expect(store.put(name, pieces('x'))).rejects.toThrow(TypeError);
      await expect(text(store.read(name))).rejects.toThrow(TypeError);
      await expect(store.size(name)).rejects.toThrow(TypeError);
      await expect(store.remove(name)).rejects.toThrow(TypeError);
      await expect(store.openSegment(name)).rejects.toThrow(TypeError);
      await expect(text(store.readSegment(name, { start: 0, end: 1 }))).rejects.toThrow(TypeError);
    });

    test.each([
      '0/0',
      'a.b/c.d',
      'a-b_c/x..y',
      `${'g'.repeat(128)}/${'l'.repeat(128)}`,
      'a/x.tmp.1',
    ])('%j is a name', async (name) => {
      await store.put(name, pieces(name));
      expect(await text(store.read(name))).toBe(name);
      expect(await names(store, name)).toEqual([name]);
    });

    describe('a segment', () => {
      test('grows by appends, each durable when it resolves, in the order of the calls', async () => {
        const segment = await store.openSegment('s/one');
        expect(await segment.append(Buffer.from('abc'))).toBe(3);
        expect(await text(store.readSegment('s/one', { start: 0, end: 3 }))).toBe('abc');
        expect(await segment.append(Buffer.alloc(0))).toBe(3);
        const lengths = await Promise.all(
          ['de', 'f', 'ghij'].map(async (more) => await segment.append(Buffer.from(more))),
        );
        expect(lengths).toEqual([5, 6, 10]);
        await segment.close();
        await segment.close();
        await expect(segment.append(Buffer.from('k'))).rejects.toThrow('segment s/one: is closed');
        expect(await text(store.readSegment('s/one', { start: 0, end: 10 }))).toBe('abcdefghij');
      });

      test('reads by any range over its appends', async () => {
        const segment = await store.openSegment('s/ranges');
        const whole = Array.from({ length: 12 }, (_, at) => `<${'x'.repeat(at)}${at}>`);
        for (const part of whole) await segment.append(Buffer.from(part));
        await segment.close();
        const expected = whole.join('');
        await fc.assert(
          fc.asyncProperty(fc.nat(expected.length), fc.nat(expected.length), async (a, b) => {
            const [start, end] = [Math.min(a, b), Math.max(a, b)];
            expect(await text(store.readSegment('s/ranges', { start, end }))).toBe(
              expected.slice(start, end),
            );
          }),
          { numRuns: 40 },
        );
      });

      test('what was appended beyond the committed end is not read', async () => {
        const segment = await store.openSegment('s/zombie');
        await segment.append(Buffer.from('committed\n'));
        await segment.append(Buffer.from('by a zombie\n'));
        await segment.close();
        expect(await text(store.readSegment('s/zombie', { start: 0, end: 10 }))).toBe(
          'committed\n',
        );
      });

      test('has one owner: a name that exists is not opened again', async () => {
        const segment = await store.openSegment('s/owned');
        await segment.append(Buffer.from('x'));
        await expect(store.openSegment('s/owned')).rejects.toThrow('s/owned');
        await segment.close();
        await expect(store.openSegment('s/owned')).rejects.toThrow('s/owned');
        expect(await text(store.readSegment('s/owned', { start: 0, end: 1 }))).toBe('x');
      });

      test('that is missing, or shorter than what was committed, says so', async () => {
        const read = async (name: string, end: number) =>
          await text(store.readSegment(name, { start: 0, end }));
        await expect(read('s/none', 1)).rejects.toThrow(BlobNotFoundError);
        await expect(read('no-segments/none', 1)).rejects.toThrow(BlobNotFoundError);
        const segment = await store.openSegment('s/short');
        await segment.append(Buffer.from('12345'));
        await segment.close();
        await expect(read('s/short', 6)).rejects.toThrow(BlobDamagedError);
      });

      test('and a blob of the same name know nothing of each other', async () => {
        const segment = await store.openSegment('s/both');
        await segment.append(Buffer.from('segment'));
        await segment.close();
        expect(await store.size('s/both')).toBeNull();
        await store.put('s/both', pieces('blob'));
        await store.remove('s/both');
        expect(await text(store.readSegment('s/both', { start: 0, end: 7 }))).toBe('segment');
      });

      test('goes alone, and with nothing of its group', async () => {
        for (const name of ['alone/a', 'alone/ab']) {
          const segment = await store.openSegment(name);
          await segment.append(Buffer.from('x'));
          await segment.append(Buffer.from('y'));
          await segment.close();
        }
        for (let times = 0; times < 2; times += 1) await store.removeSegment('alone/a');
        await store.removeSegment('no-segments/none');
        await expect(text(store.readSegment('alone/a', { start: 0, end: 1 }))).rejects.toThrow(
          BlobNotFoundError,
        );
        expect(await text(store.readSegment('alone/ab', { start: 0, end: 2 }))).toBe('xy');
        await expect(store.removeSegment('alone')).rejects.toThrow(TypeError);
      });

      test('goes with its group, and with no other', async () => {
        for (const name of ['group-1/a', 'group-1/b', 'group-10/a']) {
          const segment = await store.openSegment(name);
          for (let at = 0; at < 20; at += 1) await segment.append(Buffer.from('x'));
          await segment.close();
        }
        await store.put('group-1/blob', pieces('x'));
        await store.removeSegments('group-1');
        await store.removeSegments('group-1');
        await store.removeSegments('group-2');
        await expect(text(store.readSegment('group-1/b', { start: 0, end: 1 }))).rejects.toThrow(
          BlobNotFoundError,
        );
        expect(await text(store.readSegment('group-10/a', { start: 0, end: 2 }))).toBe('xx');
        expect(await store.size('group-1/blob')).toBe(1);
        for (const group of ['', 'a/b', '..', '*']) {
          await expect(store.removeSegments(group)).rejects.toThrow(TypeError);
        }
      });
    });

    test('the segments of all epochs read as one, by any range', async () => {
      const epochs = ['first epoch, ', 'second, ', '', 'and the third'];
      for (const [at, content] of epochs.entries()) {
        const segment = await store.openSegment(`joined/${at}`);
        await segment.append(Buffer.from(`${content}#zombie`));
        await segment.close();
      }
      const committed = epochs.map((content, at) => ({
        name: `joined/${at}`,
        bytes: content.length,
      }));
      const expected = epochs.join('');
      expect(await text(readSegments(store, committed))).toBe(expected);
      await fc.assert(
        fc.asyncProperty(fc.nat(40), fc.option(fc.nat(40), { nil: undefined }), async (a, b) => {
          const range = b === undefined ? { start: a } : { start: a, end: b };
          expect(await text(readSegments(store, committed, range))).toBe(
            a > (b ?? Infinity) ? '' : expected.slice(a, b),
          );
        }),
        { numRuns: 40 },
      );
    });
  });
}

async function* skip(
  source: AsyncIterable<Uint8Array>,
  { start, end }: { start: number; end: number },
): AsyncGenerator<Uint8Array> {
  let at = 0;
  for await (const chunk of source) {
    yield chunk.subarray(Math.max(0, start - at), Math.max(0, end - at));
    at += chunk.length;
  }
}
