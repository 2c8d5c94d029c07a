import { request, type ClientRequest } from 'node:http';
import { BlobStoreFullError, BlobStoreUnavailableError, type BlobStore } from '@nightshift/blobs';
import { eventually } from '@nightshift/local';
import { fileSchema } from '@nightshift/shared/http';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { createTestApi, type Answer, type TestApi } from '../support/api.ts';
import { field, filePart, FORM_TYPE, formBytes, type FormPart } from '../support/form.ts';

const LIMIT = 100_000;
/** What the blob store says to the next put, or null to let it through. */
let failure: Error | null = null;
const breakBlobs = (sound: BlobStore): BlobStore => ({
  ...sound,
  put: async (...call) => {
    const result = await sound.put(...call);
    if (failure === null) return result;
    await sound.remove(call[0]);
    throw failure;
  },
});

let api: TestApi;
let url: URL;
beforeAll(async () => {
  api = await createTestApi(inject('redisUrl'), {
    config: { limits: { upload_bytes: LIMIT } },
    arrival: { requestMs: 400, checkEveryMs: 50 },
    apiKeys: 'red:red-key-1,blue:blue-key',
    breakBlobs,
  });
  url = new URL(await api.listen());
});
afterAll(async () => {
  await api.close();
});

const red = { authorization: 'Bearer red-key-1' };
const blue = { authorization: 'Bearer blue-key' };

const send = async (parts: readonly FormPart[], headers = {}): Promise<Answer> =>
  api.app.inject({
    method: 'POST',
    url: '/v1/files',
    headers: { ...red, 'content-type': FORM_TYPE, ...headers },
    payload: formBytes(parts),
  });
const create = async (content: string | Buffer, filename?: string, headers = {}) => {
  const answer = await send([filePart(content, filename), field('purpose', 'batch')], headers);
  expect(answer.statusCode, answer.body).toBe(200);
  return answer.json<{ id: string; created_at: number }>();
};
const remove = async (id: string, headers = red) =>
  api.app.inject({ method: 'DELETE', url: `/v1/files/${id}`, headers });
const state = async () => ({ keys: await api.allKeys(), blobs: await api.allBlobs() });
/** A request whose body comes as the test writes it. */
function slowly(
  headers: Record<string, string> = {},
  path = '/v1/files',
): {
  call: ClientRequest;
  answer: Promise<{ status: number; body: string }>;
} {
  const call = request(new URL(path, url), {
    method: 'POST',
    headers: { ...red, 'content-type': FORM_TYPE, ...headers },
  });
  const answer = new Promise<{ status: number; body: string }>((resolve, reject) => {
    call.on('error', reject);
    call.on('response', (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => {
        body += chunk.toString();
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    });
  });
  answer.catch(() => {});
  return { call, answer };
}

describe('POST /v1/files', () => {
  it('keeps a file and tells about it', async () => {
    const answer = await send([
      field('purpose', 'batch'),
      filePart('{"a":1}\n', 'отчёт.jsonl'),
      field('expires_after[anchor]', 'created_at'),
      field('expires_after[seconds]', '3600'),
    ]);
    expect(answer.statusCode, answer.body).toBe(200);
    const file = fileSchema.parse(answer.json());
    expect(file).toMatchObject({
      bytes: 8,
      filename: 'отчёт.jsonl',
      purpose: 'batch',
      expires_at: file.created_at + 3600,
    });
    expect(file.id).toMatch(/^file-[0-9a-f]{32}$/);
    const again = await api.get(`/v1/files/${file.id}`, red);
    expect(again.body).toBe(answer.body);
  });

  it('keeps an empty one, and other purposes under other names', async () => {
    expect(await create('')).toMatchObject({ bytes: 0 });
    const other = await send([filePart('x', 'a.bin'), field('purpose', 'user_data')]);
    expect(other.json()).toMatchObject({ purpose: 'user_data', filename: 'a.bin' });
  });

  const purpose = field('purpose', 'batch');
  const anchor = field('expires_after[anchor]', 'created_at');
  const seconds = (text: string) => field('expires_after[seconds]', text);
  type Case = [name: string, parts: FormPart[], status: number, code: string, param: string | null];
  it.each<Case>([
    ['no purpose', [filePart('x')], 400, 'missing_required_parameter', 'purpose'],
    ['no file', [purpose], 400, 'missing_required_parameter', 'file'],
    ['nothing', [], 400, 'missing_required_parameter', 'file'],
    ['an empty purpose', [filePart('x'), field('purpose', '')], 400, 'invalid_value', 'purpose'],
    [
      'a long purpose',
      [filePart('x'), field('purpose', 'x'.repeat(65))],
      400,
      'string_above_max_length',
      'purpose',
    ],
    ['a text as file', [field('file', 'x'), purpose], 400, 'invalid_value', 'file'],
    ['two files', [filePart('x'), filePart('y'), purpose], 400, 'invalid_value', 'file'],
    ['an unknown field', [filePart('x'), purpose, field('n', '')], 400, 'unknown_parameter', 'n'],
    ['no .jsonl', [filePart('x', 'a.json'), purpose], 400, 'invalid_file_format', 'file'],
    ['no name', [filePart('x', ''), purpose], 400, 'invalid_value', 'file'],
    [
      'a long name',
      [filePart('x', `${'n'.repeat(256)}.jsonl`), purpose],
      400,
      'invalid_value',
      'file',
    ],
    ['a bell in its name', [filePart('x', 'a\x07.jsonl'), purpose], 400, 'invalid_value', 'file'],
    [
      'an anchor alone',
      [filePart('x'), purpose, anchor],
      400,
      'missing_required_parameter',
      'expires_after[seconds]',
    ],
    [
      'seconds alone',
      [filePart('x'), purpose, seconds('3600')],
      400,
      'missing_required_parameter',
      'expires_after[anchor]',
    ],
    [
      'another anchor',
      [filePart('x'), purpose, field('expires_after[anchor]', 'now'), seconds('3600')],
      400,
      'invalid_value',
      'expires_after[anchor]',
    ],
    [
      'too few seconds',
      [filePart('x'), purpose, anchor, seconds('3599')],
      400,
      'integer_below_min_value',
      'expires_after[seconds]',
    ],
    [
      'too many seconds',
      [filePart('x'), purpose, anchor, seconds('2592001')],
      400,
      'integer_above_max_value',
      'expires_after[seconds]',
    ],
    [
      'seconds in words',
      [filePart('x'), purpose, anchor, seconds('an hour')],
      400,
      'invalid_value',
      'expires_after[seconds]',
    ],
    [
      'one byte too many',
      [filePart('x'.repeat(LIMIT + 1)), purpose],
      413,
      'body_too_large',
      'file',
    ],
  ])('refuses %s and leaves nothing', async (_name, parts, status, code, param) => {
    const before = await state();
    for (const order of [parts, parts.toReversed()]) {
      const answer = await send(order);
      expect(answer.statusCode, answer.body).toBe(status);
      expect(answer.json()).toMatchObject({ error: { code, param } });
      expect(answer.headers['x-request-id']).toMatch(/^req_/);
    }
    expect(await state()).toEqual(before);
  });

  it('takes exactly as many bytes as it may', async () => {
    expect(await create('x'.repeat(LIMIT))).toMatchObject({ bytes: LIMIT });
  });

  it.each([
    ['application/json', '{}'],
    ['text/plain', 'x'],
    ['multipart/mixed; boundary=x', 'x'],
  ])('refuses a body of the type %s', async (type, payload) => {
    const answer = await api.app.inject({
      method: 'POST',
      url: '/v1/files',
      headers: { ...red, 'content-type': type },
      payload,
    });
    expect(answer.statusCode, answer.body).toBe(415);
    expect(answer.json()).toMatchObject({ error: { param: 'Content-Type' } });
  });

  it('refuses a compressed body and one without any', async () => {
    expect((await send([], { 'content-encoding': 'gzip' })).statusCode).toBe(415);
    const none = await api.app.inject({ method: 'POST', url: '/v1/files', headers: red });
    expect(none.statusCode).toBe(415);
  });

  it('lets the sender of far too much read why, whether the length is told or not', async () => {
    const before = await state();
    for (const headers of [{ 'content-length': '5000000' }, {}] as Record<string, string>[]) {
      const { call, answer } = slowly(headers);
      const body = formBytes([purpose, filePart(Buffer.alloc(6_000_000, 'x'))]);
      call.end(headers['content-length'] === undefined ? body : body.subarray(0, 5_000_000));
      const { status, body: text } = await answer;
      expect(status).toBe(413);
      expect(JSON.parse(text)).toMatchObject({ error: { code: 'body_too_large', param: 'file' } });
    }
    await eventually(async () => {
      expect(await state()).toEqual(before);
      return true;
    });
  });

  it('takes a file that comes slowly, longer than any other request may', async () => {
    const whole = formBytes([filePart('{"n":1}\n'.repeat(100)), purpose]);
    const { call, answer } = slowly();
    call.write(whole.subarray(0, 100));
    // Another request, which began later, has been ended for its slowness.
    const small = slowly({ 'content-type': 'application/json' }, '/v1/jobs');
    small.call.write('{');
    expect((await small.answer).status).toBe(408);
    call.end(whole.subarray(100));
    expect((await answer).status).toBe(200);
  });

  it('leaves nothing of an upload whose sender hangs up', async () => {
    const before = await state();
    const whole = formBytes([filePart('x'.repeat(50_000)), purpose]);
    const { call } = slowly({ 'content-length': String(whole.length) });
    call.write(whole.subarray(0, 30_000));
    // It is under way: its temporary file is there, and it is announced.
    await eventually(async () => (await api.allBlobs()).some((name) => name.endsWith('.tmp')));
    expect((await api.allKeys()).some((key) => key.endsWith(':loose-blobs'))).toBe(true);
    call.destroy();
    await eventually(async () => {
      expect(await state()).toEqual(before);
      return true;
    });
  });

  it.each([
    [new BlobStoreFullError('ENOSPC: no space left'), 'storage_full'],
    [new BlobStoreUnavailableError('EIO: broken'), 'storage_unavailable'],
  ])('answers 503 when the blob store says %s', async (error, code) => {
    const before = await state();
    failure = error;
    const answer = await send([filePart('x'), purpose]);
    failure = null;
    expect(answer.statusCode).toBe(503);
    expect(answer.json()).toMatchObject({ error: { code, type: 'server_error' } });
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
    expect(answer.body).not.toContain(error.message);
    expect(await state()).toEqual(before);
  });
});

describe('Idempotency-Key', () => {
  const key = (name: string) => ({ 'idempotency-key': name });

  it('gives the same file for the same content, and 409 for another', async () => {
    const first = await create('same\n', 'a.jsonl', key('k1'));
    const before = await state();
    const replay = await send(
      [field('purpose', 'batch'), filePart('same\n', 'a.jsonl')],
      key('k1'),
    );
    expect(replay.json()).toEqual(first);
    expect(replay.headers['idempotent-replayed']).toBe('true');
    for (const parts of [
      [filePart('other\n', 'a.jsonl'), field('purpose', 'batch')],
      [filePart('same\n', 'b.jsonl'), field('purpose', 'batch')],
      [filePart('same\n', 'a.jsonl'), field('purpose', 'evals')],
    ]) {
      const conflict = await send(parts, key('k1'));
      expect(conflict.statusCode).toBe(409);
      expect(conflict.json()).toMatchObject({ error: { code: 'idempotency_key_reused' } });
      expect(conflict.headers['x-should-retry']).toBe('false');
    }
    expect(await state()).toEqual(before);
  });

  it('makes one file of ten uploads at once', async () => {
    const all = await Promise.all(
      Array.from({ length: 10 }, async () => create('at once\n', 'a.jsonl', key('k2'))),
    );
    expect(new Set(all.map(({ id }) => id)).size).toBe(1);
    const content = await api.get(`/v1/files/${all[0]?.id}/content`, red);
    expect(content.body).toBe('at once\n');
  });

  it('is one for files and jobs, and of a tenant alone', async () => {
    await create('x', 'a.jsonl', key('k3'));
    const job = await api.post('/v1/jobs', { body: { model: 'm' } }, { ...red, ...key('k3') });
    expect(job.statusCode).toBe(409);
    await create('y', 'a.jsonl', { ...blue, ...key('k3') });
    expect((await send([filePart('x')], key('k'.repeat(256)))).json()).toMatchObject({
      error: { code: 'invalid_value', param: 'Idempotency-Key' },
    });
  });
});

describe('content', () => {
  const text = Array.from({ length: 4000 }, (_, n) => `line ${n}\n`).join('');

  it('comes whole, by range, and to HEAD without itself', async () => {
    const { id } = await create(text, 'a "b".jsonl'.replaceAll('"', '%22'));
    const path = `/v1/files/${id}/content`;
    const whole = await api.get(path, red);
    expect(whole.statusCode).toBe(200);
    expect(whole.body).toBe(text);
    expect(whole.headers).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-length': String(text.length),
      'accept-ranges': 'bytes',
      etag: `"${id}"`,
      'x-content-type-options': 'nosniff',
      'content-disposition': expect.stringMatching(/^attachment; filename="a _22b_22.jsonl"/),
    });
    const part = await api.get(path, { ...red, range: 'bytes=5-9' });
    expect(part.statusCode).toBe(206);
    expect(part.body).toBe(text.slice(5, 10));
    expect(part.headers['content-range']).toBe(`bytes 5-9/${text.length}`);
    const stale = await api.get(path, { ...red, range: 'bytes=5-9', 'if-range': '"other"' });
    expect(stale.statusCode).toBe(200);
    const same = await api.get(path, { ...red, range: 'bytes=-5', 'if-range': `"${id}"` });
    expect(same.body).toBe(text.slice(-5));
    const beyond = await api.get(path, { ...red, range: `bytes=${text.length}-` });
    expect(beyond.statusCode).toBe(416);
    expect(beyond.headers['content-range']).toBe(`bytes */${text.length}`);
    expect(beyond.json()).toMatchObject({ error: { code: 'range_not_satisfiable' } });
    const head = await fetch(new URL(path, url), { method: 'HEAD', headers: red });
    expect(head.status).toBe(200);
    expect(head.headers.get('content-length')).toBe(String(text.length));
    const headRange = await fetch(new URL(path, url), {
      method: 'HEAD',
      headers: { ...red, range: 'bytes=0-0' },
    });
    expect([headRange.status, headRange.headers.get('content-length')]).toEqual([206, '1']);
  });

  it('of an empty file is empty', async () => {
    const { id } = await create('');
    const answer = await api.get(`/v1/files/${id}/content`, red);
    expect([answer.statusCode, answer.body]).toEqual([200, '']);
    expect(answer.headers['content-length']).toBe('0');
  });

  it('of a batch’s output is that of its segments, as far as they are committed', async () => {
    const segments = [];
    for (const [at, own] of ['first epoch, ', 'second'].entries()) {
      const segment = await api.blobs.openSegment(`batch-1/out-${at}`);
      await segment.append(Buffer.from(`${own}#zombie`));
      await segment.close();
      segments.push({ name: `batch-1/out-${at}`, bytes: own.length, lines: 1 });
    }
    const neighbour = await api.blobs.openSegment('batch-1/errors-0');
    await neighbour.append(Buffer.from('stays'));
    await neighbour.close();
    const id = 'file-0123456789abcdef0123456789abcdef';
    const of = api.keys.tenant('red');
    const record = {
      ...{ id, tenant: 'red', filename: 'out.jsonl', purpose: 'batch_output', bytes: 19 },
      ...{ created_at: Date.now(), expires_at: '', uses: 0 },
      content: JSON.stringify({ kind: 'segments', segments }),
    };
    await api.redis.hset(of.file(id), record);
    await api.redis.zadd(of.files, record.created_at, id);

    expect((await api.get(`/v1/files/${id}/content`, red)).body).toBe('first epoch, second');
    const part = await api.get(`/v1/files/${id}/content`, { ...red, range: 'bytes=6-15' });
    expect(part.body).toBe('epoch, sec');
    expect((await remove(id)).statusCode).toBe(200);
    const left = await api.allBlobs();
    expect(left).toContain('errors-0');
    expect(left).not.toContain('out-0');
    expect(await api.redis.zcard(of.looseBlobs)).toBe(0);
  });
});

describe('other tenants', () => {
  it('see nothing of it', async () => {
    const { id } = await create('secret');
    for (const path of [`/v1/files/${id}`, `/v1/files/${id}/content`]) {
      expect((await api.get(path, blue)).statusCode).toBe(404);
    }
    expect((await remove(id, blue)).statusCode).toBe(404);
    expect((await api.get('/v1/files', blue)).body).not.toContain(id);
    expect((await api.get(`/v1/files?after=${id}`, blue)).statusCode).toBe(400);
    expect((await api.get(`/v1/files/${id}`, red)).statusCode).toBe(200);
  });
});

describe('DELETE /v1/files/ID', () => {
  it('removes record and bytes, also with an empty JSON body; then it is 404', async () => {
    const before = await state();
    const { id } = await create('x');
    const answer = await api.app.inject({
      method: 'DELETE',
      url: `/v1/files/${id}`,
      headers: { ...red, 'content-type': 'application/json' },
    });
    expect(answer.statusCode, answer.body).toBe(200);
    expect(answer.json()).toEqual({ id, object: 'file', deleted: true });
    expect(await state()).toEqual(before);
    for (const again of [await remove(id), await api.get(`/v1/files/${id}`, red)]) {
      expect(again.statusCode).toBe(404);
      expect(again.json()).toMatchObject({ error: { code: 'not_found', param: 'id' } });
    }
  });

  it('is refused while a batch reads the file', async () => {
    const { id } = await create('x');
    const record = api.keys.tenant('red').file(id);
    await api.redis.hincrby(record, 'uses', 1);
    const answer = await remove(id);
    expect(answer.statusCode).toBe(409);
    expect(answer.json()).toMatchObject({ error: { code: 'file_in_use' } });
    expect(answer.headers['x-should-retry']).toBe('false');
    await api.redis.hincrby(record, 'uses', -1);
    expect((await remove(id)).statusCode).toBe(200);
  });

  it.each(['file-', 'file-UPPER', 'job_1', `file-${'a'.repeat(100)}`, '%00', '..%2f..'])(
    'of the id %s is 404',
    async (id) => {
      expect((await remove(id)).statusCode).toBe(404);
      expect((await api.get(`/v1/files/${id}`, red)).statusCode).toBe(404);
    },
  );
});

describe('GET /v1/files', () => {
  it('pages in both directions, by purpose, each file once', async () => {
    const own = await createTestApi(inject('redisUrl'));
    try {
      const ids: string[] = [];
      for (let n = 0; n < 7; n += 1) {
        const answer = await own.app.inject({
          method: 'POST',
          url: '/v1/files',
          headers: { 'content-type': FORM_TYPE },
          payload: formBytes([filePart(''), field('purpose', n % 2 === 0 ? 'batch' : 'evals')]),
        });
        ids.push(answer.json<{ id: string }>().id);
      }
      const walk = async (query: string): Promise<string[]> => {
        const found: string[] = [];
        for (let after = ''; ;) {
          const page = (await own.get(`/v1/files?${query}${after}`)).json<{
            data: { id: string }[];
            first_id: string;
            last_id: string;
            has_more: boolean;
          }>();
          found.push(...page.data.map(({ id }) => id));
          expect([page.first_id, page.last_id]).toEqual([page.data[0]?.id, page.data.at(-1)?.id]);
          if (!page.has_more) return found;
          after = `&after=${page.last_id}`;
        }
      };
      for (const limit of [1, 2, 3, 7, 10_000]) {
        expect(await walk(`limit=${limit}&order=asc`)).toEqual(ids);
        expect(await walk(`limit=${limit}`)).toEqual(ids.toReversed());
        expect(await walk(`limit=${limit}&order=asc&purpose=evals`)).toEqual(
          ids.filter((_, at) => at % 2 === 1),
        );
      }
      expect((await own.get('/v1/files?purpose=none')).json()).toEqual({
        ...{ object: 'list', data: [], first_id: null, last_id: null, has_more: false },
      });
    } finally {
      await own.close();
    }
  });

  it.each([
    ['limit=0', 'limit', 'integer_below_min_value'],
    ['limit=10001', 'limit', 'integer_above_max_value'],
    ['limit=ten', 'limit', 'invalid_value'],
    ['order=up', 'order', 'invalid_value'],
    ['after=file-none', 'after', 'invalid_value'],
    [`purpose=${'x'.repeat(65)}`, 'purpose', 'string_above_max_length'],
    ['color=red', 'color', 'unknown_parameter'],
  ])('refuses %s', async (query, param, code) => {
    const answer = await api.get(`/v1/files?${query}`, red);
    expect(answer.statusCode).toBe(400);
    expect(answer.json()).toMatchObject({ error: { code, param } });
  });
});
