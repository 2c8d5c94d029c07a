import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI, { APIError, ConflictError, NotFoundError, toFile } from 'openai';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { createTestApi, type TestApi } from '../support/api.ts';

let api: TestApi;
let client: OpenAI;
let folder: string;
beforeAll(async () => {
  api = await createTestApi(inject('redisUrl'), {
    config: {
      limits: { upload_bytes: 10_000_000 },
      providers: { own: { base_url: 'http://127.0.0.1:9/v1' } },
      models: [
        { match: 'org/model-a', provider: 'own' },
        { match: 'gpt-*', provider: 'own' },
      ],
    },
  });
  client = new OpenAI({ baseURL: `${await api.listen()}/v1`, apiKey: 'none', maxRetries: 0 });
  folder = await mkdtemp(join(tmpdir(), 'nightshift-sdk-test-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
  await api.close();
});

const caught = async (call: PromiseLike<unknown>): Promise<APIError> => {
  try {
    await call;
  } catch (error) {
    expect(error).toBeInstanceOf(APIError);
    return error as APIError;
  }
  throw new Error('it was not refused');
};

describe('files, by the official SDK', () => {
  it('go up as a stream and come back byte for byte', async () => {
    const path = join(folder, 'requests.jsonl');
    const bytes = randomBytes(3_000_000);
    await writeFile(path, bytes);
    const file = await client.files.create({
      file: createReadStream(path),
      purpose: 'batch',
      expires_after: { anchor: 'created_at', seconds: 7200 },
    });
    expect(file).toMatchObject({
      object: 'file',
      bytes: bytes.length,
      filename: 'requests.jsonl',
      purpose: 'batch',
      expires_at: file.created_at + 7200,
      status: 'processed',
    });
    expect(await client.files.retrieve(file.id)).toEqual(file);
    const content = await client.files.content(file.id);
    expect(Buffer.from(await content.arrayBuffer()).equals(bytes)).toBe(true);
    expect(await client.files.delete(file.id)).toEqual({
      ...{ id: file.id, object: 'file', deleted: true },
    });
    await expect(client.files.retrieve(file.id)).rejects.toThrow(NotFoundError);
  });

  it('are listed page by page', async () => {
    const made = [];
    for (const name of ['a.jsonl', 'b.jsonl', 'c.jsonl']) {
      const file = await toFile(Buffer.from('{}\n'), name);
      made.push(await client.files.create({ file, purpose: 'batch' }));
    }
    const found = [];
    for await (const file of client.files.list({ limit: 2, order: 'asc', purpose: 'batch' })) {
      found.push(file);
    }
    expect(found).toEqual(made);
    for (const { id } of made) await client.files.delete(id);
  });

  it('are refused with the SDK’s own errors', async () => {
    const text = await toFile(Buffer.from('x'), 'a.txt');
    expect(await caught(client.files.create({ file: text, purpose: 'batch' }))).toMatchObject({
      status: 400,
      message: '400 Invalid file format for Batch API. Must be .jsonl',
      param: 'file',
    });
    const large = await toFile(Buffer.alloc(10_000_001), 'a.jsonl');
    expect(await caught(client.files.create({ file: large, purpose: 'batch' }))).toMatchObject({
      status: 413,
      code: 'body_too_large',
      param: 'file',
    });
  });

  it('keep to an idempotency key that is given as a header', async () => {
    const create = async (content: string) =>
      client.files.create(
        { file: await toFile(Buffer.from(content), 'a.jsonl'), purpose: 'batch' },
        { headers: { 'Idempotency-Key': 'sdk-1' }, maxRetries: 2 },
      );
    const first = await create('1\n');
    expect(await create('1\n')).toEqual(first);
    await expect(create('2\n')).rejects.toThrow(ConflictError);
    await client.files.delete(first.id);
  });
});

describe('uploads in parts, by the official SDK', () => {
  const begin = async (bytes: number) =>
    client.uploads.create({
      ...{ filename: 'big.jsonl', purpose: 'batch', mime_type: 'application/jsonl', bytes },
    });
  const add = async (id: string, content: Buffer) =>
    client.uploads.parts.create(id, { data: await toFile(content) });

  it('become a file, in the order that is named', async () => {
    const halves = [randomBytes(1_000_000), randomBytes(500_000)] as const;
    const whole = Buffer.concat(halves);
    const upload = await begin(whole.length);
    expect(upload).toMatchObject({ object: 'upload', status: 'pending', file: null });
    expect(upload.expires_at - upload.created_at).toBe(3600);
    const [second, first] = await Promise.all([
      add(upload.id, halves[1]),
      add(upload.id, halves[0]),
    ]);
    expect(first).toMatchObject({ object: 'upload.part', upload_id: upload.id });
    await add(upload.id, Buffer.from('not wanted'));
    const md5 = createHash('md5').update(whole).digest('hex');
    const order = { part_ids: [first.id, second.id], md5 };

    for (const [wrong, param] of [
      [{ ...order, md5: '0'.repeat(32) }, 'md5'],
      [{ part_ids: [first.id] }, 'part_ids'],
      [{ part_ids: [first.id, first.id] }, 'part_ids'],
      [{ part_ids: [first.id, 'part_none'] }, 'part_ids'],
    ] as const) {
      const error = await caught(
        client.uploads.complete(upload.id, { ...wrong, part_ids: [...wrong.part_ids] }),
      );
      expect(error).toMatchObject({ status: 400, param });
    }
    const done = await client.uploads.complete(upload.id, order);
    expect(done).toMatchObject({ status: 'completed', file: { bytes: whole.length } });
    // What is sent again after a lost answer is answered the same.
    expect(await client.uploads.complete(upload.id, order)).toEqual(done);
    const content = await client.files.content(done.file?.id ?? '');
    expect(Buffer.from(await content.arrayBuffer()).equals(whole)).toBe(true);
    for (const late of [
      async () => client.uploads.cancel(upload.id),
      async () => add(upload.id, halves[0]),
      async () => client.uploads.complete(upload.id, { part_ids: [] }),
    ]) {
      expect(await caught(late())).toMatchObject({ status: 409, code: 'upload_not_pending' });
    }
    // Only the whole is left.
    await client.files.delete(done.file?.id ?? '');
    expect(await api.allBlobs()).toEqual([]);
  });

  it('can be cancelled, more than once; their parts go with the sweep', async () => {
    const upload = await begin(1);
    await add(upload.id, Buffer.from('x'));
    for (let n = 0; n < 2; n += 1) {
      expect(await client.uploads.cancel(upload.id)).toMatchObject({ status: 'cancelled' });
    }
    const loose = await api.dueLoose('default');
    expect(loose).toEqual([{ kind: 'blob', name: expect.stringMatching(/^parts\/part_/) }]);
    expect(await caught(add(upload.id, Buffer.from('y')))).toMatchObject({ status: 409 });
    for (const { name } of loose) await api.blobs.remove(name);
  });

  it('expire', async () => {
    const upload = await begin(1);
    await api.redis.hset(api.keys.tenant('default').upload(upload.id), 'expires_at', '1');
    for (const late of [
      async () => client.uploads.cancel(upload.id),
      async () => add(upload.id, Buffer.from('x')),
      async () => client.uploads.complete(upload.id, { part_ids: [] }),
    ]) {
      expect((await caught(late())).message).toContain("'expired'");
    }
  });

  it('are made into one file by calls at once', async () => {
    const upload = await begin(1);
    const part = await add(upload.id, Buffer.from('x'));
    const all = await Promise.all(
      Array.from({ length: 5 }, async () =>
        client.uploads.complete(upload.id, { part_ids: [part.id] }),
      ),
    );
    expect(new Set(all.map(({ file }) => file?.id)).size).toBe(1);
    expect(await api.allBlobs()).toEqual([all[0]?.file?.id]);
    await client.files.delete(all[0]?.file?.id ?? '');
  });

  it.each([
    [{ bytes: 10_000_001 }, 'bytes', 'integer_above_max_value'],
    [{ bytes: -1 }, 'bytes', 'integer_below_min_value'],
    [{ bytes: '1' }, 'bytes', 'invalid_type'],
    [{ filename: undefined }, 'filename', 'missing_required_parameter'],
    [{ filename: 'a.txt' }, 'filename', 'invalid_file_format'],
    [{ filename: 'a\nb.jsonl' }, 'filename', 'invalid_value'],
    [{ purpose: undefined }, 'purpose', 'missing_required_parameter'],
    [{ mime_type: undefined }, 'mime_type', 'missing_required_parameter'],
    [{ expires_after: { anchor: 'now', seconds: 3600 } }, 'expires_after.anchor', 'invalid_value'],
    [
      { expires_after: { anchor: 'created_at', seconds: 1 } },
      'expires_after.seconds',
      'integer_below_min_value',
    ],
    [{ color: 'red' }, 'color', 'unknown_parameter'],
  ])('are not begun with %j', async (fields, param, code) => {
    const before = await api.allKeys();
    const answer = await api.post('/v1/uploads', {
      ...{ filename: 'a.jsonl', purpose: 'batch', mime_type: 'x', bytes: 1 },
      ...fields,
    });
    expect(answer.statusCode, answer.body).toBe(400);
    expect(answer.json()).toMatchObject({ error: { code, param } });
    expect(await api.allKeys()).toEqual(before);
  });

  it('that do not exist are 404', async () => {
    const id = `upload_${'0'.repeat(32)}`;
    for (const missing of [id, 'upload_x']) {
      for (const call of [
        async () => client.uploads.cancel(missing),
        async () => add(missing, Buffer.from('x')),
        async () => client.uploads.complete(missing, { part_ids: [] }),
      ]) {
        expect(await caught(call())).toMatchObject({ status: 404, code: 'not_found' });
      }
    }
  });
});

describe('models, by the official SDK', () => {
  it('are those with a route of their own and those that were asked for', async () => {
    await api.submit({ body: { model: 'gpt-4o' } });
    const found = [];
    for await (const model of client.models.list()) found.push(model);
    expect(found).toEqual([
      { id: 'gpt-4o', object: 'model', created: 0, owned_by: 'own' },
      { id: 'org/model-a', object: 'model', created: 0, owned_by: 'own' },
    ]);
  });

  it('can be asked for one by one, also with a slash', async () => {
    expect(await client.models.retrieve('org/model-a')).toMatchObject({ id: 'org/model-a' });
    expect((await api.get('/v1/models/org/model-a')).json()).toMatchObject({ id: 'org/model-a' });
    expect(await client.models.retrieve('gpt-new')).toMatchObject({ owned_by: 'own' });
    expect(await caught(client.models.retrieve('llama'))).toMatchObject({
      status: 404,
      code: 'model_not_found',
    });
    expect((await api.get('/v1/models/')).statusCode).toBe(404);
  });
});
