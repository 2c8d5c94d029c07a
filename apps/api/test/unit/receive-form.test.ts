import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { ApiError } from '@nightshift/shared/errors';
import { describe, expect, it } from 'vitest';
import { receiveForm, type Form, type Keep } from '../../src/upload/receive-form.ts';
import { BOUNDARY, field, filePart, FORM_TYPE, formBytes } from '../support/form.ts';

function request(chunks: readonly Buffer[], type = FORM_TYPE): IncomingMessage {
  return Object.assign(Readable.from(chunks, { objectMode: false }), {
    headers: { 'content-type': type },
  }) as unknown as IncomingMessage;
}

/** Keeps what it reads, and tells how it ended. */
function keeper() {
  const kept = { text: '', ended: 'never began' };
  const keep: Keep = async (source, signal) => {
    kept.ended = 'running';
    try {
      const pieces: Uint8Array[] = [];
      for await (const chunk of source) {
        signal.throwIfAborted();
        pieces.push(chunk);
      }
      signal.throwIfAborted();
      const all = Buffer.concat(pieces);
      kept.text = all.toString('latin1');
      kept.ended = 'whole';
      return { bytes: all.length };
    } catch (error) {
      kept.ended = 'failed';
      throw error;
    }
  };
  return { kept, keep };
}

const receive = async (
  bytes: readonly Buffer[],
  keep: Keep = keeper().keep,
  type?: string,
): Promise<Form> => receiveForm(request(bytes, type), { fileField: 'file', mostBytes: 1000 }, keep);

const cut = (bytes: Buffer, at: readonly number[]): Buffer[] => {
  const places = [0, ...at.map((one) => one % (bytes.length + 1)).toSorted((a, b) => a - b)];
  return places.map((from, index) => bytes.subarray(from, places[index + 1]));
};

// Contents with beginnings of the boundary in them.
const content = fc.array(
  fc.constantFrom('\r', '\n', '-', `\r\n--${BOUNDARY.slice(0, 9)}`, BOUNDARY, '{"a":1}', '\0', 'é'),
  { maxLength: 30 },
);

describe('a form', () => {
  it('is read the same in any order of its parts and cut anywhere', async () => {
    await fc.assert(
      fc.asyncProperty(
        content,
        fc.boolean(),
        fc.array(fc.nat(), { maxLength: 20 }),
        async (pieces, fileFirst, cuts) => {
          const file = Buffer.from(pieces.join('').replaceAll(`--${BOUNDARY}`, ''));
          const parts = [filePart(file), field('purpose', 'batch')];
          const { kept, keep } = keeper();
          const form = await receive(
            cut(formBytes(fileFirst ? parts : parts.toReversed()), cuts),
            keep,
          );
          expect(form.fields).toEqual({ purpose: 'batch' });
          expect(form.file).toMatchObject({ filename: 'in.jsonl', bytes: file.length });
          expect(form.file.sha256).toMatch(/^[0-9a-f]{64}$/);
          expect(kept).toEqual({ text: file.toString('latin1'), ended: 'whole' });
        },
      ),
    );
  });

  it('that ends too early is refused wherever it ends, and what was kept of it has come to an end', async () => {
    const whole = formBytes([filePart('{"a":1}\n'.repeat(20)), field('purpose', 'batch')]);
    // The closing boundary is complete with its dashes.
    for (let length = 0; length < whole.length - 2; length += 1) {
      const { kept, keep } = keeper();
      const error = await receive([whole.subarray(0, length)], keep).catch(
        (thrown: unknown) => thrown,
      );
      expect(error, `${length} bytes`).toBeInstanceOf(ApiError);
      expect((error as ApiError).status).toBe(400);
      expect(kept.ended).not.toBe('running');
    }
  });

  it.each([
    ['no file', [field('purpose', 'batch')], 'missing_required_parameter', 'file'],
    ['a file without a name', [field('file', 'x')], 'invalid_value', 'file'],
    ['two files', [filePart('a'), filePart('b')], 'invalid_value', 'file'],
    ['another file', [{ ...filePart('a'), name: 'purpose' }], 'invalid_value', 'purpose'],
    ['a field twice', [field('a', '1'), field('a', '2')], 'invalid_value', 'a'],
    ['a long field', [field('a', 'x'.repeat(2000))], 'invalid_value', 'a'],
    ['a part without a name', [{ content: 'x' }], 'invalid_multipart', null],
    [
      'too many fields',
      Array.from({ length: 30 }, (_, at) => field(`f${at}`, '')),
      'invalid_multipart',
      null,
    ],
  ])('with %s is refused', async (_name, parts, code, param) => {
    await expect(receive([formBytes(parts)])).rejects.toMatchObject({ code, param });
  });

  it.each([
    'multipart/form-data',
    'multipart/form-data; boundary=',
    'multipart/form-data; boundary=""',
    `multipart/form-data; boundary=${'x'.repeat(300)}`,
  ])('of the type %j is refused', async (type) => {
    await expect(receive([formBytes([])], undefined, type)).rejects.toMatchObject({
      code: 'invalid_multipart',
      param: 'Content-Type',
    });
  });

  it('has no prototype to be changed', async () => {
    const form = await receive([formBytes([field('__proto__', 'x'), filePart('')])]);
    expect(Object.keys(form.fields)).toEqual(['__proto__']);
  });

  it('is refused when its store fails, with the reason of that', async () => {
    const keep: Keep = async () => Promise.reject(new Error('no room'));
    const parts = [filePart('x'.repeat(500_000)), field('purpose', 'batch')];
    await expect(receive([formBytes(parts)], keep)).rejects.toThrow('no room');
  });

  it('is read no faster than its file is kept', async () => {
    const chunk = Buffer.alloc(65_536, 'x');
    let sent = 0;
    function* source(): Generator<Buffer> {
      const [head, tail] = formBytes([filePart('HERE')])
        .toString()
        .split('HERE');
      yield Buffer.from(head ?? '');
      for (; sent < 500 * chunk.length; sent += chunk.length) yield chunk;
      yield Buffer.from(tail ?? '');
    }
    const raw = Object.assign(Readable.from(source(), { objectMode: false }), {
      headers: { 'content-type': FORM_TYPE },
    }) as unknown as IncomingMessage;
    let farthestAhead = 0;
    const keep: Keep = async (from) => {
      let bytes = 0;
      for await (const piece of from) {
        await new Promise((resolve) => setImmediate(resolve));
        farthestAhead = Math.max(farthestAhead, sent - bytes);
        bytes += piece.length;
      }
      return { bytes };
    };
    const { file } = await receiveForm(raw, { fileField: 'file', mostBytes: 1e9 }, keep);
    expect(file.bytes).toBe(500 * chunk.length);
    expect(farthestAhead).toBeLessThan(1_000_000);
  });

  it('strips folders from the name of its file', async () => {
    for (const name of ['../../etc/in.jsonl', 'C:\\\\data\\\\in.jsonl']) {
      const form = await receive([formBytes([filePart('', name)])]);
      expect(form.file.filename).toBe('in.jsonl');
    }
  });
});
