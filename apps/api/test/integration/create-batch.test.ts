import { eventually } from '@nightshift/local';
import { batchSchema } from '@nightshift/shared/http';
import { addAnswer, emptyLengths, laneOf } from '@nightshift/shared/lane';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import {
  createBatchApi,
  errorOf,
  inputFile,
  inputLine,
  type BatchApi,
  type BatchSeen,
} from '../support/batches.ts';

let api: BatchApi;
let file: string;
beforeAll(async () => {
  api = await createBatchApi(inject('redisUrl'));
  file = await api.upload(inputFile(3));
});
afterAll(async () => {
  await api.close();
});

const base = { endpoint: '/v1/chat/completions', completion_window: '24h' };
const post = async (fields: Record<string, unknown>, headers: Record<string, string> = {}) =>
  api.post('/v1/batches', { ...base, ...fields }, headers);

describe('POST /v1/batches', () => {
  it('answers OpenAI’s object with every field, null where there is nothing', async () => {
    const answer = await post({ input_file_id: file });
    expect(answer.statusCode, answer.body).toBe(200);
    const batch = batchSchema.parse(answer.json());
    expect(batch).toEqual({
      id: expect.stringMatching(/^batch_[0-9a-f]{32}$/),
      object: 'batch',
      ...base,
      model: null,
      errors: null,
      input_file_id: file,
      status: 'validating',
      output_file_id: null,
      error_file_id: null,
      created_at: expect.any(Number),
      in_progress_at: null,
      expires_at: batch.created_at + 86_400,
      finalizing_at: null,
      completed_at: null,
      failed_at: null,
      expired_at: null,
      cancelling_at: null,
      cancelled_at: null,
      request_counts: { total: 0, completed: 0, failed: 0 },
      usage: {
        input_tokens: 0,
        input_tokens_details: { cached_tokens: 0 },
        output_tokens: 0,
        output_tokens_details: { reasoning_tokens: 0 },
        total_tokens: 0,
      },
      metadata: null,
      paused: false,
      run_at: null,
      quiet_hours: null,
      retry_of: null,
      cost_usd: 0,
      waiting_for: null,
    });
    expect((await api.get(`/v1/batches/${batch.id}`)).body).toBe(answer.body);
  });

  it('takes metadata, run_at, quiet hours and any window', async () => {
    const runAt = Math.floor(Date.now() / 1000) + 600;
    const hours = { start: '22:00', end: '06:00', time_zone: 'Europe/Berlin' };
    const answer = await post({
      input_file_id: file,
      completion_window: '14d',
      metadata: { night: '1' },
      output_expires_after: { anchor: 'created_at', seconds: 3600 },
      run_at: runAt,
      quiet_hours: hours,
    });
    expect(answer.json()).toMatchObject({
      completion_window: '14d',
      metadata: { night: '1' },
      run_at: runAt,
      quiet_hours: hours,
    });
  });

  const manyPairs = Object.fromEntries(Array.from({ length: 17 }, (_, n) => [`k${n}`, 'v']));
  it.each([
    ['nothing to do', {}, 'input_file_id', 'missing_required_parameter'],
    [
      'no endpoint',
      { input_file_id: 'F', endpoint: undefined },
      'endpoint',
      'missing_required_parameter',
    ],
    [
      'no window',
      { input_file_id: 'F', completion_window: undefined },
      'completion_window',
      'missing_required_parameter',
    ],
    ['endpoint', { input_file_id: 'F', endpoint: '/v1/images' }, 'endpoint', 'invalid_value'],
    [
      'window 0m',
      { input_file_id: 'F', completion_window: '0m' },
      'completion_window',
      'invalid_value',
    ],
    [
      'window 15d',
      { input_file_id: 'F', completion_window: '15d' },
      'completion_window',
      'invalid_value',
    ],
    [
      'window 1w',
      { input_file_id: 'F', completion_window: '1w' },
      'completion_window',
      'invalid_value',
    ],
    [
      'window 24',
      { input_file_id: 'F', completion_window: 24 },
      'completion_window',
      'invalid_type',
    ],
    ['metadata type', { input_file_id: 'F', metadata: { a: 1 } }, 'metadata.a', 'invalid_type'],
    ['metadata list', { input_file_id: 'F', metadata: [] }, 'metadata', 'invalid_type'],
    [
      '17 pairs',
      { input_file_id: 'F', metadata: manyPairs },
      'metadata',
      'object_above_max_properties',
    ],
    [
      'long value',
      { input_file_id: 'F', metadata: { a: 'x'.repeat(513) } },
      'metadata.a',
      'string_above_max_length',
    ],
    ['unknown file', { input_file_id: 'file-no' }, 'input_file_id', 'invalid_value'],
    ['file type', { input_file_id: 7 }, 'input_file_id', 'invalid_type'],
    ['unknown field', { input_file_id: 'F', window: 1 }, 'window', 'unknown_parameter'],
    [
      'output expiry',
      { input_file_id: 'F', output_expires_after: { anchor: 'created_at', seconds: 60 } },
      'output_expires_after.seconds',
      'integer_below_min_value',
    ],
    ['run_at too late', { input_file_id: 'F', run_at: 4_000_000_000 }, 'run_at', 'invalid_value'],
    [
      'time zone',
      { input_file_id: 'F', quiet_hours: { start: '22:00', end: '06:00', time_zone: 'Mars/X' } },
      'quiet_hours.time_zone',
      'invalid_value',
    ],
    [
      'time of day',
      { input_file_id: 'F', quiet_hours: { start: '24:00', end: '06:00', time_zone: 'UTC' } },
      'quiet_hours.start',
      'invalid_value',
    ],
    [
      'no hours',
      { input_file_id: 'F', quiet_hours: { start: '06:00', end: '06:00', time_zone: 'UTC' } },
      'quiet_hours.end',
      'invalid_value',
    ],
    ['a model beside a file', { input_file_id: 'F', model: 'm' }, 'model', 'invalid_value'],
    ['both inputs', { input_file_id: 'F', requests: [] }, 'requests', 'invalid_value'],
  ])('refuses %s and leaves nothing behind', async (_, given, param, code) => {
    const fields =
      'input_file_id' in given && given.input_file_id === 'F'
        ? { ...given, input_file_id: file }
        : given;
    const before = api.batches.size;
    const answer = await post(fields);
    expect(answer.statusCode, answer.body).toBe(400);
    expect(errorOf(answer)).toMatchObject({ param, code, type: 'invalid_request_error' });
    expect(api.batches.size).toBe(before);
  });

  it('takes only files of the purpose batch, and only the caller’s own', async () => {
    const other = await api.upload('{}', { purpose: 'batch_output' });
    const foreign = await api.upload(inputFile(1), { tenant: 'else' });
    for (const id of [other, foreign]) {
      const answer = await post({ input_file_id: id });
      expect(answer.statusCode).toBe(400);
      expect(errorOf(answer)).toMatchObject({ param: 'input_file_id' });
    }
  });

  it('says what is missing as OpenAI does', async () => {
    expect(errorOf(await post({}))['message']).toBe("Missing required parameter: 'input_file_id'.");
  });
});

describe('Idempotency-Key', () => {
  const key = (name: string) => ({ 'idempotency-key': name });

  it('gives the same batch for the same content, also when its file is gone by then', async () => {
    const own = await api.upload(inputFile(1));
    const first = await post({ input_file_id: own }, key('same'));
    await api.files.remove('default', own);
    const again = await post({ input_file_id: own }, key('same'));
    expect(again.statusCode).toBe(200);
    expect(again.body).toBe(first.body);
    expect(again.headers['idempotent-replayed']).toBe('true');
    expect(first.headers['idempotent-replayed']).toBeUndefined();
  });

  it('refuses other content under a key', async () => {
    await post({ input_file_id: file }, key('conflict'));
    const answer = await post({ input_file_id: file, completion_window: '1h' }, key('conflict'));
    expect(answer.statusCode).toBe(409);
    expect(answer.headers['x-should-retry']).toBe('false');
    expect(errorOf(answer)).toMatchObject({ code: 'idempotency_key_reused' });
  });

  it('makes one batch and one file of many calls with requests at once', async () => {
    const before = api.files.all.size;
    const requests = [{ custom_id: 'a', body: { model: 'm', messages: [] } }];
    const answers = await Promise.all(
      Array.from({ length: 20 }, async () => post({ requests }, key('inline'))),
    );
    expect(new Set(answers.map(({ statusCode }) => statusCode))).toEqual(new Set([200]));
    expect(new Set(answers.map((answer) => answer.json<BatchSeen>().id)).size).toBe(1);
    expect(api.files.all.size).toBe(before + 1);
  });

  it('leaves no file of a call whose key had other content', async () => {
    const requests = [{ custom_id: 'a', body: { model: 'm', messages: [] } }];
    await post({ requests }, key('inline-conflict'));
    const before = await api.allBlobs();
    const answer = await post(
      { requests: [...requests, { ...requests[0], custom_id: 'b' }] },
      key('inline-conflict'),
    );
    expect(answer.statusCode).toBe(409);
    expect(await api.allBlobs()).toEqual(before);
  });
});

describe('requests in place of a file', () => {
  it('become an input file whose bodies are as they were written', async () => {
    const body =
      '{ "model":"m",\n\t"seed": 12345678901234567890, "messages":[], "é":"\\u00e9 \\n" }';
    const answer = await api.post(
      '/v1/batches',
      `{"endpoint":"/v1/chat/completions","completion_window":"1h","requests":[
        {"custom_id":"a","body":${body}},
        {"body":{"messages":["},{"]},"custom_id":"b, [\\"}"} ],"model":"other"}`,
    );
    expect(answer.statusCode, answer.body).toBe(200);
    const { input_file_id: id } = answer.json<BatchSeen>();
    const lines = (await api.textOf(id)).split('\n');
    expect(lines).toEqual([
      `{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":${body.replace('\n', ' ')}}`,
      '{"custom_id":"b, [\\"}","method":"POST","url":"/v1/chat/completions","body":{"model":"other","messages":["},{"]}}',
      '',
    ]);
    expect(await api.files.get('default', id)).toMatchObject({
      purpose: 'batch',
      filename: 'requests.jsonl',
      bytes: Buffer.byteLength(lines.join('\n')),
    });
  });

  it('are refused with every bad one named by its index, and nothing is written', async () => {
    const before = await api.allBlobs();
    const good = { model: 'm', messages: [] };
    const answer = await post({
      requests: [
        { custom_id: 'a', body: good },
        { body: good },
        { custom_id: 'a', body: good },
        { custom_id: 'c', body: { messages: [] } },
        { custom_id: 'd' },
        7,
        { custom_id: 'e', body: { ...good, stream: true } },
        { custom_id: 'f', url: '/v1/embeddings', body: good },
      ],
    });
    expect(answer.statusCode).toBe(400);
    const error = errorOf(answer);
    expect(error).toMatchObject({
      code: 'invalid_requests',
      param: 'requests.1.custom_id',
      count: 7,
    });
    expect(error['requests']).toMatchObject([
      { index: 1, param: 'requests.1.custom_id', code: 'missing_required_parameter' },
      { index: 2, param: 'requests.2.custom_id', code: 'duplicate_custom_id' },
      { index: 3, param: 'requests.3.body.model' },
      { index: 4, param: 'requests.4.body' },
      { index: 5, param: 'requests.5', code: 'invalid_json_line' },
      { index: 6, param: 'requests.6.body.stream', code: 'streaming_unsupported' },
      { index: 7, param: 'requests.7.url', code: 'invalid_url' },
    ]);
    expect(error['message']).toContain('requests.0 has it too');
    expect(await api.allBlobs()).toEqual(before);
  });

  it('must be some, and not too many', async () => {
    const few = await createBatchApi(inject('redisUrl'), {
      config: { limits: { batch_requests: 2, batch_inline_bytes: 1000 } },
    });
    try {
      const of = (count: number, text = '') => ({
        ...base,
        requests: Array.from({ length: count }, (_, n) => ({
          custom_id: `${n}`,
          body: { model: 'm', messages: [text] },
        })),
      });
      for (const count of [0, 3]) {
        const answer = await few.post('/v1/batches', of(count));
        expect(answer.statusCode).toBe(400);
        expect(errorOf(answer)).toMatchObject({ code: 'invalid_requests', param: 'requests' });
      }
      expect((await few.post('/v1/batches', of(2))).statusCode).toBe(200);
      const large = await few.post('/v1/batches', of(1, 'x'.repeat(70_000)));
      expect(large.statusCode).toBe(413);
    } finally {
      await few.close();
    }
  });
});

describe('dry_run', () => {
  const dry = async (fields: Record<string, unknown>) => {
    const answer = await api.post('/v1/batches?dry_run=true', { ...base, ...fields });
    expect(answer.statusCode, answer.body).toBe(200);
    return answer.json<Record<string, unknown> & { estimate: Record<string, unknown> }>();
  };

  it('counts, estimates and stores nothing', async () => {
    const before = { blobs: await api.allBlobs(), batches: api.batches.size };
    const id = await api.upload(
      [
        inputLine('a', { model: 'gpt-4o-mini', max_tokens: 100 }),
        inputLine('b', { model: 'gpt-4o-mini', max_tokens: 100 }),
      ].join('\n'),
    );
    const found = await dry({ input_file_id: id });
    expect(found).toMatchObject({
      object: 'batch.dry_run',
      valid: true,
      request_counts: { total: 2, valid: 2, invalid: 0 },
      errors: null,
      estimate: { output_tokens: 200, sampled: false, finishes_at: null, in_time: null },
    });
    expect(found.estimate['input_tokens']).toBeGreaterThan(2);
    expect(found.estimate['cost_usd']).toBeGreaterThan(0);
    expect(api.batches.size).toBe(before.batches);
    expect(await api.allBlobs()).toEqual([...before.blobs, `files/${id}`].toSorted());
  });

  it('names bad lines and says that the batch would not start', async () => {
    const id = await api.upload(`${inputLine('a')}\n{\n${inputLine('a')}\n`);
    expect(await dry({ input_file_id: id })).toMatchObject({
      valid: false,
      request_counts: { total: 3, valid: 1, invalid: 2 },
      errors: {
        count: 2,
        data: [
          { code: 'invalid_json_line', line: 2 },
          { code: 'duplicate_custom_id', line: 3 },
        ],
      },
    });
    expect(await dry({ input_file_id: await api.upload('\n') })).toMatchObject({
      valid: false,
      request_counts: { total: 0 },
      errors: { data: [{ code: 'empty_file', line: null }] },
    });
  });

  it('takes requests too, and looks at one in ten beyond 10,000', async () => {
    const requests = Array.from({ length: 12_000 }, (_, n) => ({
      custom_id: `${n}`,
      body: { model: 'm', messages: [{ role: 'user', content: 'hello' }], max_tokens: 10 },
    }));
    const found = await dry({ requests });
    expect(found).toMatchObject({
      request_counts: { total: 12_000 },
      estimate: { sampled: true, output_tokens: 120_000, cost_usd: null },
    });
  });

  it('tells when it would be done, where the limits are known', async () => {
    const lane = api.keys.lane(
      (await import('@nightshift/shared/lane')).laneOf('default', 'known', 'default').id,
    );
    const dimension = { limit: 60, rate: 0.001, capacity: 60, level: 60, source: 'headers' };
    await api.redis.set(
      lane.budget,
      JSON.stringify({
        epoch: 'e',
        at: Date.now(),
        requests: dimension,
        next_at: { interactive: 0, bulk: 0 },
      }),
    );
    const text = Array.from({ length: 120 }, (_, n) => inputLine(`${n}`, { model: 'known' })).join(
      '\n',
    );
    const id = await api.upload(text);
    const finishOf = async (fields: Record<string, unknown>) => {
      const { estimate } = await dry({ input_file_id: id, ...fields });
      return {
        in: Number(estimate['finishes_at']) - Date.now() / 1000,
        inTime: estimate['in_time'],
      };
    };
    const soon = await finishOf({});
    expect(soon.in).toBeGreaterThan(110);
    expect(soon.in).toBeLessThan(130);
    expect(soon.inTime).toBe(true);
    expect((await finishOf({ completion_window: '1m' })).inTime).toBe(false);
    const hours = { start: '22:00', end: '04:00', time_zone: 'UTC' };
    expect((await finishOf({ quiet_hours: hours })).in).toBeGreaterThan(470);
  });

  const laneIdOf = (model: string): string => laneOf('default', model, 'default').id;
  const answered = async (model: string, tokens: number): Promise<void> => {
    const lengths = emptyLengths();
    for (let n = 0; n < 40; n += 1) addAnswer(lengths, tokens);
    const note = { results: 40, lengths: new Map([['/v1/chat/completions', lengths] as const]) };
    await api.lanes.register(laneOf('default', model, 'default'));
    await api.lanes.note(laneIdOf(model), Date.now(), note);
  };
  const ofModels = (...models: string[]): string =>
    models.map((model, n) => inputLine(`${n}`, { model })).join('\n');

  it('estimates output from earlier answers, else from an assumption, and says which', async () => {
    await answered('gpt-4o', 80);
    const learned = await dry({ input_file_id: await api.upload(ofModels('gpt-4o', 'gpt-4o')) });
    expect(learned.estimate).toMatchObject({
      likely: { output_tokens: 160, cost_usd: expect.any(Number) },
      at_most: { output_tokens: null, cost_usd: null },
      known: { requests: 2 },
      unlimited_requests: 2,
      output_basis: { source: 'learned', message: 'learned from 40 earlier answers' },
    });
    const assumed = await dry({ input_file_id: await api.upload(ofModels('gpt-4.1', 'm-none')) });
    expect(assumed.estimate).toMatchObject({
      likely: { output_tokens: 1000, cost_usd: null },
      known: { requests: 1, cost_usd: expect.any(Number) },
      output_basis: { source: 'assumed', answers: 0 },
    });
  });

  it('estimates the end from the throughput, and none while a lane is paused', async () => {
    const id = await api.upload(ofModels(...Array.from({ length: 120 }, () => 'm-reached')));
    const lane = api.keys.lane(laneIdOf('m-reached'));
    await api.redis.hset(lane.history, 'reached', `60 6 ${Date.now() - 3_600_000}`);
    const moving = await dry({ input_file_id: id });
    expect(moving.estimate['finish_basis']).toEqual({
      source: 'reached',
      message: 'at 60 results a minute, measured for m-reached over 1 min of work, 1 h ago',
    });
    expect(Number(moving.estimate['finishes_at']) - Date.now() / 1000).toBeGreaterThan(110);
    await api.lanes.pauseForProvider(laneIdOf('m-reached'), 'unauthorized', 'wrong key', false);
    const basis = async () =>
      (await dry({ input_file_id: id })).estimate['finish_basis'] as Record<string, string>;
    // The API knows the state of a lane as it was a moment ago.
    await eventually(async () => (await basis())['source'] === 'standing_still');
    expect((await basis())['message']).toMatch(
      /^m-reached at default is paused: wrong key; next try in \d s$/,
    );
    expect((await dry({ input_file_id: id })).estimate).toMatchObject({
      ...{ finishes_at: null, in_time: null },
    });
  });

  it('warns about an unknown model, with the nearest name, and about a run_at in the past', async () => {
    await answered('my-own-model', 5);
    const id = await api.upload(
      ofModels('gpt-4o-mimi', 'my-own-modle', 'my-own-model', 'gpt-4o-2024-08-06', 'zzz'),
    );
    const { warnings } = await dry({ input_file_id: id, run_at: 1 });
    expect(warnings).toEqual([
      {
        ...{ code: 'run_at_past', model: null, suggestion: null },
        message: expect.stringMatching(/^run_at was \d+ days ago: the batch starts now$/),
      },
      {
        ...{ code: 'unknown_model', model: 'gpt-4o-mimi', suggestion: 'gpt-4o-mini' },
        message: 'gpt-4o-mimi: no price, no earlier call; did you mean gpt-4o-mini?',
      },
      expect.objectContaining({ model: 'my-own-modle', suggestion: 'my-own-model' }),
      {
        ...{ code: 'unknown_model', model: 'zzz', suggestion: null },
        message: 'zzz: no price, no earlier call',
      },
    ]);
  });

  it('counts requests that are identical to an earlier one', async () => {
    const saying = (text: string, n: number): string =>
      inputLine(`${n}`, { messages: [{ role: 'user', content: text }] });
    const id = await api.upload(['a', 'a', 'b', 'a'].map(saying).join('\n'));
    expect(await dry({ input_file_id: id })).toMatchObject({
      request_counts: { total: 4, valid: 4, invalid: 0, duplicates: 2 },
    });
  });
});
