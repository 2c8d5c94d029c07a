import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  inputFile,
  inputLine,
  names,
  setBatchStage,
  type BatchStage,
} from '../support/batch-stage.ts';

let stage: BatchStage;
beforeAll(async () => {
  stage = await setBatchStage();
});
afterAll(async () => {
  await stage.stop();
});

describe('a batch', () => {
  it('goes from validating to completed, its files appear at the end, and every answer is in them', async () => {
    const ids = names('whole', 40);
    await stage.latency(200);
    const file = await stage.upload(inputFile(ids));
    const created = await stage.create({ input_file_id: file, metadata: { night: '1' } });
    expect(created).toMatchObject({
      object: 'batch',
      endpoint: '/v1/chat/completions',
      input_file_id: file,
      completion_window: '24h',
      output_file_id: null,
      error_file_id: null,
      errors: null,
      metadata: { night: '1' },
      request_counts: { completed: 0, failed: 0 },
    });
    const running = await stage.reaches(created.id, ({ status }) => status === 'in_progress');
    expect(running).toMatchObject({
      status: 'in_progress',
      model: 'sim-ok',
      output_file_id: null,
      request_counts: { total: 40 },
    });
    expect(running.in_progress_at).toBeGreaterThanOrEqual(created.created_at);
    const batch = await stage.settled(created.id);
    expect(batch).toMatchObject({ status: 'completed', error_file_id: null });
    expect(batch.completed_at).toBeGreaterThanOrEqual(batch.finalizing_at ?? Infinity);
    const { output } = await stage.judged(batch, ids);
    expect(output[0]).toMatchObject({
      id: expect.stringMatching(/^batch_req_/),
      response: { status_code: 200, request_id: expect.any(String) },
      error: null,
    });
    const used = output.map(({ response }) => response?.body.usage.total_tokens ?? 0);
    expect(batch.usage?.total_tokens).toBe(used.reduce((sum, tokens) => sum + tokens, 0));
    const meta = await stage.client.files.retrieve(batch.output_file_id ?? '');
    expect(meta).toMatchObject({ object: 'file', purpose: 'batch_output', status: 'processed' });
  });

  it('puts HTTP errors into the error file, with the response; several models in one file are fine', async () => {
    await stage.latency(0);
    const text = [
      inputLine('ok-1', 'sim-ok'),
      inputLine('bad-1', 'sim-400'),
      inputLine('flaky-1', 'sim-flaky-30'),
      inputLine('ok-2', 'sim-ok--other'),
      inputLine('bad-2', 'sim-404'),
      ...names('flaky-more', 10).map((id) => inputLine(id, 'sim-flaky-30')),
    ].join('\n');
    const { id } = await stage.create({ input_file_id: await stage.upload(text) });
    const batch = await stage.settled(id);
    expect(batch).toMatchObject({ status: 'completed', model: null });
    const all = ['ok-1', 'bad-1', 'flaky-1', 'ok-2', 'bad-2', ...names('flaky-more', 10)];
    const { failures } = await stage.judged(batch, all);
    const byId = Object.fromEntries(failures.map((line) => [line.custom_id, line]));
    expect(Object.keys(byId).toSorted()).toEqual(['bad-1', 'bad-2']);
    expect(byId['bad-1']).toMatchObject({ response: { status_code: 400 }, error: null });
    expect(byId['bad-2']).toMatchObject({ response: { status_code: 404 }, error: null });
  });

  it('is completed when every line failed, without an output file', async () => {
    const ids = names('none', 3);
    const { id } = await stage.create({
      input_file_id: await stage.upload(inputFile(ids, 'sim-400')),
    });
    const batch = await stage.settled(id);
    expect(batch).toMatchObject({ status: 'completed', output_file_id: null });
    expect((await stage.judged(batch, ids)).failures).toHaveLength(3);
  });

  it('shares its input with others, which hold it until all have ended', async () => {
    const ids = names('shared', 30);
    await stage.latency(400);
    const file = await stage.upload(inputFile(ids));
    const created = await Promise.all(
      Array.from({ length: 3 }, async () => stage.create({ input_file_id: file })),
    );
    await expect(stage.client.files.delete(file, { maxRetries: 0 })).rejects.toMatchObject({
      status: 409,
    });
    await stage.latency(0);
    for (const { id } of created) await stage.judged(await stage.settled(id), ids);
    expect(await stage.client.files.delete(file)).toMatchObject({ deleted: true });
    await expect(stage.client.files.retrieve(file)).rejects.toMatchObject({ status: 404 });
    await expect(stage.create({ input_file_id: file })).rejects.toMatchObject({
      status: 400,
      param: 'input_file_id',
    });
  });
});

describe('the list', () => {
  it('is walked by for await, newest first, each batch once', async () => {
    const file = await stage.upload(inputFile(['listed']));
    const created: string[] = [];
    for (let n = 0; n < 7; n += 1)
      created.unshift((await stage.create({ input_file_id: file })).id);
    const seen: string[] = [];
    for await (const batch of stage.client.batches.list({ limit: 3 })) seen.push(batch.id);
    expect(seen.slice(0, 7)).toEqual(created);
    expect(new Set(seen).size).toBe(seen.length);
    await expect(stage.client.batches.list({ limit: 101 })).rejects.toMatchObject({
      status: 400,
      code: 'integer_above_max_value',
      param: 'limit',
    });
  });
});

describe('what is wrong with a call', () => {
  it('is an error of the SDK’s own class that names the field', async () => {
    const file = await stage.upload(inputFile(['x']));
    await expect(stage.client.batches.retrieve('batch_none')).rejects.toBeInstanceOf(
      OpenAI.NotFoundError,
    );
    for (const [fields, param] of [
      [{ input_file_id: 'file-none' }, 'input_file_id'],
      [{ input_file_id: file, endpoint: '/v1/none' }, 'endpoint'],
      [{ input_file_id: file, completion_window: '15d' }, 'completion_window'],
      [
        {
          input_file_id: file,
          metadata: Object.fromEntries(names('k', 17).map((key) => [key, ''])),
        },
        'metadata',
      ],
    ] as const) {
      await expect(stage.create(fields as never)).rejects.toMatchObject({ status: 400, param });
    }
  });

  it('is answered the same under one key, and other content is refused', async () => {
    const file = await stage.upload(inputFile(['key']));
    const create = async (window: string, key: string) =>
      stage.client.batches.create(
        {
          input_file_id: file,
          endpoint: '/v1/chat/completions',
          completion_window: window as '24h',
        },
        { headers: { 'Idempotency-Key': key } },
      );
    const many = await Promise.all(Array.from({ length: 10 }, async () => create('24h', 'one')));
    expect(new Set(many.map(({ id }) => id)).size).toBe(1);
    await expect(create('1h', 'one')).rejects.toMatchObject({
      status: 409,
      code: 'idempotency_key_reused',
    });
    expect((await create('1h', 'two')).id).not.toBe(many[0]?.id);
  });
});
