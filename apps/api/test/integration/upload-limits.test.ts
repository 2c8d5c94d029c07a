import { request } from 'node:http';
import { once } from 'node:events';
import { eventually } from '@nightshift/local';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { createTestApi, type TestApi } from '../support/api.ts';
import { field, filePart, FORM_TYPE, formBytes } from '../support/form.ts';

let api: TestApi;
let url: URL;
beforeAll(async () => {
  api = await createTestApi(inject('redisUrl'), {
    config: {
      limits: { upload_bytes: 10_000, uploads_at_once: 3, uploads_at_once_bytes: 25_000 },
    },
    apiKeys: 'red:red-key-1,blue:blue-key',
  });
  url = new URL(await api.listen());
});
afterAll(async () => {
  await api.close();
});

const red = { authorization: 'Bearer red-key-1' };
const blue = { authorization: 'Bearer blue-key' };
const form = formBytes([field('purpose', 'batch'), filePart('{}\n')]);
const send = async (headers: Record<string, string>) =>
  api.app.inject({
    method: 'POST',
    url: '/v1/files',
    headers: { ...headers, 'content-type': FORM_TYPE },
    payload: form,
  });
const refusal = { error: { type: 'rate_limit_error', code: 'too_many_uploads' } };

/** An upload that has begun to arrive, of at most so many bytes if it says; `end` sends the rest. */
async function began(bytes: number | null) {
  const call = request(new URL('/v1/files', url), {
    method: 'POST',
    headers: {
      ...red,
      'content-type': FORM_TYPE,
      ...(bytes !== null && { 'content-length': String(bytes) }),
    },
  });
  call.on('error', () => {});
  const before = await held();
  call.write(form.subarray(0, 20));
  await eventually(async () => (await held()) > before, { describe: 'the upload to be let in' });
  return {
    end: async () => {
      const answered = once(call, 'response');
      call.end(form.subarray(20));
      const [answer] = (await answered) as [{ statusCode: number; resume(): void }];
      answer.resume();
      return answer.statusCode;
    },
    breakOff: () => call.destroy(),
  };
}
const held = async () => api.redis.zcard(api.keys.tenant('red').looseBlobs);

describe('uploads at once', () => {
  it('are refused beyond the number, for their tenant, until one has ended', async () => {
    const calls = [];
    for (let n = 0; n < 3; n += 1) calls.push(await began(form.length));
    const refused = await send(red);
    expect(refused.statusCode).toBe(429);
    expect(refused.json()).toMatchObject(refusal);
    expect(Number(refused.headers['retry-after'])).toBeLessThanOrEqual(60);
    expect((await send(blue)).statusCode).toBe(200);
    const [first, second, third] = calls;
    expect(await first?.end()).toBe(200);
    expect((await send(red)).statusCode).toBe(200);
    // What breaks off counts no more than what ends.
    second?.breakOff();
    third?.breakOff();
    await eventually(async () => (await held()) === 0, { describe: 'both to be removed' });
    const again = [await began(form.length), await began(form.length)];
    expect((await send(red)).statusCode).toBe(200);
    for (const call of again) expect(await call.end()).toBe(200);
  });

  it('are refused beyond the bytes, and one that does not say counts as the largest', async () => {
    const calls = [await began(null), await began(null)];
    const third = await began(form.length);
    expect(await third.end()).toBe(200);
    calls.push(await began(4000));
    expect((await send(red)).json()).toMatchObject(refusal);
    for (const call of calls) call.breakOff();
    await eventually(async () => (await held()) === 0, { describe: 'all to be removed' });
    expect((await send(red)).statusCode).toBe(200);
  });
});

describe('uploads in parts', () => {
  const begin = async (bytes: number) =>
    api.app.inject({
      method: 'POST',
      url: '/v1/uploads',
      headers: red,
      payload: { filename: 'a.jsonl', purpose: 'batch', mime_type: 'application/jsonl', bytes },
    });
  const cancel = async (id: string) =>
    api.app.inject({ method: 'POST', url: `/v1/uploads/${id}/cancel`, headers: red });
  const begun = async (bytes: number): Promise<string> => {
    const answer = await begin(bytes);
    expect(answer.statusCode, answer.body).toBe(200);
    return answer.json<{ id: string }>().id;
  };

  it('are refused beyond the number, until one is cancelled or its hour is over', async () => {
    const ids = [await begun(1), await begun(1), await begun(1)];
    const refused = await begin(1);
    expect(refused.statusCode).toBe(429);
    expect(refused.json()).toMatchObject(refusal);
    await cancel(ids[0] ?? '');
    ids.push(await begun(1));
    expect((await begin(1)).statusCode).toBe(429);
    await api.redis.zadd(api.keys.tenant('red').pendingUploads, 1, `${ids[1]} 1`);
    ids.push(await begun(1));
    for (const id of ids) await cancel(id);
  });

  it('are refused beyond the bytes that they announce', async () => {
    const ids = [await begun(10_000), await begun(10_000)];
    expect((await begin(6000)).statusCode).toBe(429);
    ids.push(await begun(5000));
    for (const id of ids) await cancel(id);
    expect(await api.redis.exists(api.keys.tenant('red').pendingUploads)).toBe(0);
  });
});
