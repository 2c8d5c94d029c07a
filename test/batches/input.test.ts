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

const failed = async (text: string) => {
  const { id } = await stage.create({ input_file_id: await stage.upload(text) });
  const batch = await stage.settled(id);
  expect(batch.status).toBe('failed');
  expect(batch).toMatchObject({
    output_file_id: null,
    error_file_id: null,
    request_counts: { completed: 0, failed: 0 },
  });
  expect(batch.failed_at).toBeGreaterThanOrEqual(batch.created_at);
  return batch;
};

describe('an input file', () => {
  it('is failed with every bad line by its number, code and field, and nothing is called', async () => {
    const before = (await stage.calls()).length;
    const good = JSON.parse(inputLine('x')) as Record<string, unknown>;
    const line = (fields: Record<string, unknown>) => JSON.stringify({ ...good, ...fields });
    const batch = await failed(
      [
        inputLine('a'),
        '{"custom_id": "b",',
        '',
        line({ custom_id: undefined }),
        line({ custom_id: 'a' }),
        line({ custom_id: 'c', method: 'GET' }),
        line({ custom_id: 'd', url: '/v1/embeddings' }),
        line({ custom_id: 'e', body: { messages: [] } }),
        line({ custom_id: 'f', body: { model: 'sim-ok' } }),
        line({ custom_id: 'g', body: { model: 'sim-ok', messages: [], stream: true } }),
        line({ custom_id: 'h', body: undefined }),
        line({ custom_id: 'i', body: { model: 'sim-ok', messages: ['x'.repeat(2_000_000)] } }),
        '7',
      ].join('\n'),
    );
    expect(batch.errors?.data?.map(({ line: at, code, param }) => [at, code, param])).toEqual([
      [2, 'invalid_json_line', null],
      [4, 'missing_required_parameter', 'custom_id'],
      [5, 'duplicate_custom_id', 'custom_id'],
      [6, 'invalid_method', 'method'],
      [7, 'invalid_url', 'url'],
      [8, 'missing_required_parameter', 'body.model'],
      [9, 'missing_required_parameter', 'body.messages'],
      [10, 'streaming_unsupported', 'body.stream'],
      [11, 'missing_required_parameter', 'body'],
      [12, 'line_too_long', null],
      [13, 'invalid_json_line', null],
    ]);
    expect((await stage.calls()).length).toBe(before);
    const groups = (await (await stage.call(`/batches/${batch.id}/errors`)).json()) as {
      count: number;
    };
    expect(groups.count).toBe(11);
  });

  it.each([
    ['nothing at all', ''],
    ['blank lines', '\n \n\r\n'],
  ])('of %s is failed as empty', async (_, text) => {
    // An upload of no bytes may be refused before there is a batch.
    let batch;
    try {
      batch = await failed(text);
    } catch (error) {
      expect(text).toBe('');
      expect(error).toMatchObject({ status: 400 });
      return;
    }
    expect(batch.errors?.data).toMatchObject([{ code: 'empty_file', line: null }]);
  });

  it('with too many requests is failed, and so is one with thousands of bad lines', async () => {
    const many = await failed(inputFile(names('many', 20_001)));
    expect(many.errors?.data?.at(-1)).toMatchObject({
      code: 'too_many_requests_in_file',
      line: null,
    });
    const bad = await failed('{\n'.repeat(3000));
    expect(bad.errors?.data).toHaveLength(1000);
    expect(bad.errors).toMatchObject({ count: 3000 });
  });

  it('may have a byte-order mark, CRLF, blank lines and no last newline', async () => {
    const ids = ['ä', 'b "x"', 'c'];
    const text = `\uFEFF${ids.map((id) => inputLine(id)).join('\r\n\r\n')}`;
    const { id } = await stage.create({ input_file_id: await stage.upload(text) });
    const batch = await stage.settled(id);
    expect(batch.status).toBe('completed');
    const lines = await stage.lines(batch.output_file_id);
    expect(lines.map(({ custom_id: customId }) => customId).toSorted()).toEqual(ids.toSorted());
  });

  it('may be as large as the limit, and every line is answered once', async () => {
    const ids = names('large', 20_000);
    const { id } = await stage.create({ input_file_id: await stage.upload(inputFile(ids)) });
    const batch = await stage.settled(id, 500_000);
    expect(batch.status).toBe('completed');
    await stage.judged(batch, ids);
    const ordered = await (await stage.call(`/batches/${id}/results?order=input`)).text();
    const order = ordered
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { custom_id: string }).custom_id);
    expect(order).toEqual(ids);
  });

  it('must have the purpose and the ending of a batch', async () => {
    await expect(stage.upload('{}', 'input.txt')).rejects.toMatchObject({ status: 400 });
    const { id } = await stage.client.files.create({
      file: new File(['{}'], 'x.jsonl'),
      purpose: 'user_data',
    });
    await expect(stage.create({ input_file_id: id })).rejects.toMatchObject({
      status: 400,
      param: 'input_file_id',
    });
  });
});
