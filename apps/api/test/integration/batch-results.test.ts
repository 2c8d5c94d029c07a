import { get } from 'node:http';
import { eventually } from '@nightshift/local';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import {
  createBatchApi,
  errorOf,
  failureLine,
  inputFile,
  inputLine,
  outputLine,
  type BatchApi,
} from '../support/batches.ts';

let api: BatchApi;
beforeAll(async () => {
  api = await createBatchApi(inject('redisUrl'), { heartbeatMs: 50 });
});
afterAll(async () => {
  await api.close();
});

const running = async (input: string): Promise<string> => {
  const { id } = await api.create({ input_file_id: await api.upload(input) });
  api.batches.move(id, { status: 'in_progress' });
  return id;
};
const read = async (id: string, query = '') => {
  const answer = await api.get(`/v1/batches/${id}/results?${query}`);
  expect(answer.statusCode, answer.body).toBe(200);
  expect(Number(answer.headers['content-length'])).toBe(Buffer.byteLength(answer.body));
  const lines = answer.body.split('\n').slice(0, -1);
  return {
    lines,
    ids: lines.map((line) => (JSON.parse(line) as { custom_id: string }).custom_id),
    next: String(answer.headers['x-next-after']),
    hasMore: answer.headers['x-has-more'],
    status: answer.headers['x-batch-status'],
  };
};

describe('GET /v1/batches/ID/results', () => {
  it('gives what is committed, and on the next call what has come since', async () => {
    const id = await running(inputFile(6));
    expect(await read(id)).toMatchObject({ lines: [], hasMore: 'true', status: 'in_progress' });
    await api.commit(id, 'output', [outputLine('c-3'), outputLine('c-0')]);
    await api.commit(id, 'failures', [failureLine('c-1', 400)]);
    const first = await read(id);
    expect(first.lines).toEqual([outputLine('c-3'), outputLine('c-0'), failureLine('c-1', 400)]);
    expect(await read(id, `after=${first.next}`)).toMatchObject({ lines: [], next: first.next });
    await api.commit(id, 'failures', [failureLine('c-2', 'batch_expired')]);
    await api.commit(id, 'output', [outputLine('c-4')]);
    await api.commit(id, 'output', [outputLine('c-5')]);
    api.batches.move(id, { status: 'completed' });
    const second = await read(id, `after=${first.next}`);
    expect(second).toMatchObject({ ids: ['c-4', 'c-5', 'c-2'], hasMore: 'false' });
    expect((await read(id)).ids).toEqual(['c-3', 'c-0', 'c-4', 'c-5', 'c-1', 'c-2']);
  });

  it('goes through pages of any size without a loss or a repeat', async () => {
    const id = await running(inputFile(20));
    await api.commit(
      id,
      'output',
      Array.from({ length: 7 }, (_, n) => outputLine(`c-${n}`)),
    );
    await api.commit(
      id,
      'failures',
      Array.from({ length: 5 }, (_, n) => failureLine(`c-${n + 7}`, 500)),
    );
    await api.commit(
      id,
      'output',
      Array.from({ length: 8 }, (_, n) => outputLine(`c-${n + 12}`)),
    );
    api.batches.move(id, { status: 'completed' });
    for (const order of ['completion', 'input']) {
      for (const limit of [1, 3, 7, 19, 20, 100]) {
        const ids: string[] = [];
        let after = '';
        for (let calls = 0; ; calls += 1) {
          expect(calls).toBeLessThan(25);
          const page = await read(id, `order=${order}&limit=${limit}${after}`);
          expect(page.lines.length).toBeLessThanOrEqual(limit);
          ids.push(...page.ids);
          after = `&after=${page.next}`;
          if (page.hasMore === 'false') break;
        }
        expect(ids.length, `${order} ${limit}`).toBe(20);
        expect(new Set(ids).size).toBe(20);
      }
    }
  });

  it('gives them in the order of the input, up to the first that is not there', async () => {
    const ids = ['ä', 'b "x"', 'c', 'd', 'e\\', '', 'f'];
    const input = ids.map((id) => (id === '' ? '' : inputLine(id))).join('\r\n');
    const id = await running(`\uFEFF${input}`);
    expect(await read(id, 'order=input')).toMatchObject({ lines: [], next: 'i:0' });
    await api.commit(id, 'output', [outputLine('d'), outputLine('b "x"', 'y'.repeat(50_000))]);
    expect((await read(id, 'order=input')).ids).toEqual([]);
    await api.commit(id, 'failures', [failureLine('ä', 400)]);
    const first = await read(id, 'order=input');
    expect(first).toMatchObject({ ids: ['ä', 'b "x"'], hasMore: 'true' });
    await api.commit(id, 'output', [outputLine('e\\'), outputLine('c'), outputLine('f')]);
    api.batches.move(id, { status: 'completed' });
    expect(await read(id, `order=input&after=${first.next}`)).toMatchObject({
      ids: ['c', 'd', 'e\\', 'f'],
      hasMore: 'false',
    });
  });

  it('brings thousands into order that came in none', async () => {
    const count = 3000;
    const id = await running(inputFile(count));
    const order = Array.from({ length: count }, (_, n) => (n * 1237) % count);
    for (let from = 0; from < count; from += 700) {
      const part = order
        .slice(from, from + 700)
        .map((n) => outputLine(`c-${n}`, 'x'.repeat(n % 700)));
      await api.commit(id, from % 1400 === 0 ? 'output' : 'failures', part);
    }
    const { ids } = await read(id, 'order=input');
    expect(ids).toEqual(Array.from({ length: count }, (_, n) => `c-${n}`));
  });

  it.each([
    ['after=x', 'after'],
    ['after=i:0', 'after'],
    ['after=o:1000000000,f:0', 'after'],
    ['after=o:0,f:-1', 'after'],
    ['order=input&after=o:0,f:0', 'after'],
    ['order=input&after=i:5', 'after'],
    ['order=random', 'order'],
    ['limit=0', 'limit'],
    ['limit=10001', 'limit'],
    ['x=1', 'x'],
  ])('refuses %s', async (query, param) => {
    const id = await running(inputFile(2));
    await api.commit(id, 'output', [outputLine('c-0')]);
    const answer = await api.get(`/v1/batches/${id}/results?${query}`);
    expect(answer.statusCode, answer.body).toBe(400);
    expect(errorOf(answer)).toMatchObject({ param });
  });

  it('says 404 for results that were deleted, and for an order that was', async () => {
    const id = await running(inputFile(2));
    const batch = await api.commit(id, 'output', [outputLine('c-0')]);
    await api.files.remove('default', batch.inputFileId);
    const noOrder = await api.get(`/v1/batches/${id}/results?order=input`);
    expect(errorOf(noOrder)).toMatchObject({ code: 'not_found', param: 'order' });
    await api.blobs.removeSegments(id.replaceAll('_', '-'));
    const gone = await api.get(`/v1/batches/${id}/results`);
    expect(gone.statusCode).toBe(404);
    expect(errorOf(gone)).toMatchObject({ code: 'not_found' });
  });
});

describe('the results of a batch of which a file was deleted', () => {
  const message = async (id: string, path = 'results'): Promise<string> => {
    const answer = await api.get(`/v1/batches/${id}/${path}`);
    expect(answer.statusCode).toBe(404);
    return (errorOf(answer) as { message: string }).message;
  };
  const ended = async (): Promise<string> => {
    const id = await running(inputFile(3));
    await api.commit(id, 'output', [outputLine('c-0'), outputLine('c-1')]);
    await api.commit(id, 'failures', [failureLine('c-2', 400)]);
    const [outputFileId, errorFileId] = [`file-out-${id}`, `file-err-${id}`];
    for (const file of [outputFileId, errorFileId]) {
      await api.files.create({
        ...{ id: file, tenant: 'default', filename: 'f', purpose: 'batch_output', bytes: 1 },
        ...{ expiresAfterMs: null, content: { kind: 'blob', name: `files/${file}` } },
      });
    }
    api.batches.move(id, { status: 'completed', outputFileId, errorFileId });
    return id;
  };
  const drop = async (id: string, part: 'output' | 'failures'): Promise<void> => {
    const batch = await api.batches.get('default', id);
    for (const { name } of batch?.[part] ?? []) await api.blobs.removeSegment(name);
    await api.files.remove('default', `file-${part === 'output' ? 'out' : 'err'}-${id}`);
  };

  it('names the output file, and how to read the errors', async () => {
    const id = await ended();
    await drop(id, 'output');
    const said = await message(id);
    expect(said).toContain(`The output file 'file-out-${id}' of this batch was deleted`);
    const [, after = ''] = /after=(\S+)\.$/.exec(said) ?? [];
    expect((await read(id, `after=${after}`)).ids).toEqual(['c-2']);
    expect((await read(id, `after=${after}&limit=5`)).ids).toEqual(['c-2']);
    expect((await api.get(`/v1/batches/${id}/errors`)).json()).toMatchObject({ count: 1 });
    expect((await api.post(`/v1/batches/${id}/retry`, {})).statusCode).toBe(200);
  });

  it('names the error file, and where the rest is', async () => {
    const id = await ended();
    await drop(id, 'failures');
    const named = `The error file 'file-err-${id}' of this batch was deleted, or has expired; what succeeded is in file 'file-out-${id}'.`;
    expect(await message(id, 'results?limit=100')).toBe(named);
    expect(await message(id, 'errors')).toBe(named);
    expect((await read(id, 'limit=2')).ids).toEqual(['c-0', 'c-1']);
  });

  it('names both', async () => {
    const id = await ended();
    await drop(id, 'output');
    await drop(id, 'failures');
    expect(await message(id)).toContain(`'file-out-${id}' and 'file-err-${id}'`);
    expect(await message(id, 'errors')).toContain(`'file-err-${id}'`);
  });
});

describe('GET /v1/batches/ID/errors', () => {
  it('groups what failed by code', async () => {
    const id = await running(inputFile(9));
    const body = {
      error: {
        message: 'Too long.',
        type: 'invalid_request_error',
        code: 'context_length_exceeded',
      },
    };
    await api.commit(id, 'failures', [
      failureLine('c-0', 400, body),
      failureLine('c-1', 'batch_expired'),
      failureLine('c-2', 400, body),
    ]);
    await api.commit(id, 'failures', [
      failureLine('c-3', 500, '<html>'),
      failureLine('c-4', 400, body),
      failureLine('c-5', 400, {
        error: { message: 'No.', type: 'invalid_request_error', code: null },
      }),
    ]);
    expect((await api.get(`/v1/batches/${id}/errors`)).json()).toEqual({
      object: 'list',
      count: 6,
      data: [
        {
          code: 'context_length_exceeded',
          status_code: 400,
          message: 'Too long.',
          count: 3,
          first_seen: 1,
          last_seen: 5,
          custom_ids: ['c-0', 'c-2', 'c-4'],
        },
        {
          code: 'batch_expired',
          status_code: null,
          message: 'It batch_expired.',
          count: 1,
          first_seen: 2,
          last_seen: 2,
          custom_ids: ['c-1'],
        },
        {
          code: 'http_500',
          status_code: 500,
          message: 'The provider answered 500.',
          count: 1,
          first_seen: 4,
          last_seen: 4,
          custom_ids: ['c-3'],
        },
        {
          code: 'invalid_request_error',
          status_code: 400,
          message: 'No.',
          count: 1,
          first_seen: 6,
          last_seen: 6,
          custom_ids: ['c-5'],
        },
      ],
    });
  });

  it('groups bad lines where the input is wrong, and is empty where nothing is', async () => {
    const id = await running('{}');
    expect((await api.get(`/v1/batches/${id}/errors`)).json()).toEqual({
      object: 'list',
      data: [],
      count: 0,
    });
    const error = { code: 'invalid_json_line', message: 'No.', param: null } as const;
    api.batches.move(id, {
      status: 'failed',
      errors: [
        { ...error, line: 3 },
        { ...error, line: 9 },
      ],
      errorCount: 2,
    });
    expect((await api.get(`/v1/batches/${id}/errors`)).json()).toMatchObject({
      count: 2,
      data: [{ code: 'invalid_json_line', count: 2, first_seen: 3, last_seen: 9 }],
    });
  });
});

describe('POST /v1/batches/ID/retry', () => {
  const settled = async (): Promise<string> => {
    const id = await running(inputFile(6));
    await api.commit(id, 'output', [outputLine('c-1'), outputLine('c-4')]);
    await api.commit(id, 'failures', [
      failureLine('c-5', 'batch_expired'),
      failureLine('c-0', 400, { error: { code: 'bad', type: 'kind' } }),
      failureLine('c-2', 'batch_expired'),
      failureLine('c-3', 500),
    ]);
    api.batches.move(id, { status: 'completed', metadata: { m: '1' } });
    return id;
  };
  const retry = async (id: string, body: unknown, headers = {}) => {
    const answer = await api.post(`/v1/batches/${id}/retry`, body, headers);
    const seen = answer.json<{ input_file_id?: string }>();
    const text = seen.input_file_id === undefined ? '' : await api.textOf(seen.input_file_id);
    return { answer, text };
  };

  it.each([
    ['all that failed', {}, [0, 2, 3, 5]],
    ['one code', { filter: { error_code: 'batch_expired' } }, [2, 5]],
    ['a type', { filter: { error_code: 'kind' } }, [0]],
    ['several codes', { filter: { error_code: ['kind', 'batch_expired'] } }, [0, 2, 5]],
    ['a status', { filter: { error_code: 'http_500' } }, [3]],
    ['ids, never those that succeeded', { filter: { custom_ids: ['c-1', 'c-0', 'c-5'] } }, [0, 5]],
    ['both', { filter: { custom_ids: ['c-0', 'c-5'], error_code: 'batch_expired' } }, [5]],
  ])('does again %s, line by line as it was', async (_, body, numbers) => {
    const id = await settled();
    const { answer, text } = await retry(id, body);
    expect(answer.statusCode, answer.body).toBe(200);
    expect(answer.json()).toMatchObject({
      status: 'validating',
      retry_of: id,
      metadata: { m: '1' },
    });
    const lines = inputFile(6).split('\n');
    expect(text).toBe(numbers.map((n) => `${lines[n]}\n`).join(''));
  });

  it('keeps its files for as long as those of the first', async () => {
    const id = await settled();
    api.batches.move(id, { outputExpiresAfterMs: 7_200_000 });
    const { answer } = await retry(id, {});
    const again = await api.batches.get('default', answer.json<{ id: string }>().id);
    expect(again?.outputExpiresAfterMs).toBe(7_200_000);
  });

  it('refuses what is not settled, what has no failure, and a filter that finds none', async () => {
    const id = await running(inputFile(1));
    for (const body of ['', '{}']) {
      const early = await api.post(`/v1/batches/${id}/retry`, body);
      expect(early.statusCode).toBe(409);
      expect(early.headers['x-should-retry']).toBe('false');
      expect(errorOf(early)).toMatchObject({ code: 'batch_not_retryable' });
    }
    api.batches.move(id, { status: 'completed' });
    expect((await api.post(`/v1/batches/${id}/retry`)).statusCode).toBe(409);
    const none = await api.post(`/v1/batches/${await settled()}/retry`, {
      filter: { custom_ids: ['x'] },
    });
    expect(none.statusCode).toBe(400);
    expect(errorOf(none)).toMatchObject({ param: 'filter' });
    const wrong = await api.post(`/v1/batches/${id}/retry`, { filter: { codes: 1 } });
    expect(errorOf(wrong)).toMatchObject({ param: 'filter.codes', code: 'unknown_parameter' });
  });

  it('refuses one whose input was deleted', async () => {
    const id = await settled();
    await api.files.remove('default', (await api.batches.get('default', id))?.inputFileId ?? '');
    const { answer } = await retry(id, {});
    expect(answer.statusCode).toBe(409);
    expect(errorOf(answer)['message']).toContain('input file was deleted');
  });

  it('makes one batch under one key', async () => {
    const id = await settled();
    const key = { 'idempotency-key': `retry-${id}` };
    const first = await retry(id, {}, key);
    const files = api.files.all.size;
    const again = await retry(id, {}, key);
    expect(again.answer.body).toBe(first.answer.body);
    expect(again.answer.headers['idempotent-replayed']).toBe('true');
    expect(api.files.all.size).toBe(files);
    const other = await retry(id, { filter: { error_code: 'bad' } }, key);
    expect(other.answer.statusCode).toBe(409);
  });
});

describe('GET /v1/batches/ID/events', () => {
  let url: string;
  beforeAll(async () => {
    url = await api.listen();
  });
  const follow = (id: string, headers: Record<string, string> = {}) => {
    let text = '';
    let status = 0;
    let isOver = false;
    const call = get(`${url}/v1/batches/${id}/events`, { headers }, (answer) => {
      status = answer.statusCode ?? 0;
      answer.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      answer.on('close', () => {
        isOver = true;
      });
    });
    call.on('error', () => {});
    return {
      types: () => [...text.matchAll(/^event: (.*)$/gm)].map(([, type]) => type),
      text: () => text,
      status: () => status,
      isOver: () => isOver,
      leave: () => call.destroy(),
    };
  };

  it('tells changes until the batch is settled, and ends', async () => {
    const id = await running(inputFile(2));
    const stream = follow(id);
    await eventually(() => stream.types().length === 1);
    await api.commit(id, 'output', [outputLine('c-0')]);
    await eventually(() => stream.types().length === 2);
    expect(stream.isOver()).toBe(false);
    await eventually(() => stream.text().includes(': still here'));
    api.batches.move(id, { status: 'completed' });
    await eventually(() => stream.isOver());
    expect(stream.types()).toEqual(['batch.in_progress', 'batch.progressed', 'batch.completed']);
    const last = stream
      .text()
      .trim()
      .split('\n')
      .findLast((line) => line.startsWith('data: '));
    expect(JSON.parse(String(last).slice(6))).toMatchObject({
      object: 'batch.event',
      type: 'batch.completed',
      batch: { id, status: 'completed', request_counts: { completed: 1 } },
    });
    const seen = [...stream.text().matchAll(/^id: (.*)$/gm)].at(-1)?.[1] ?? '';
    const again = follow(id, { 'last-event-id': seen });
    await eventually(() => again.status() === 204);
    const late = follow(id);
    await eventually(() => late.isOver());
    expect(late.types()).toEqual(['batch.completed']);
  });

  it('looks once a second however many follow', async () => {
    const id = await running(inputFile(2));
    const streams = Array.from({ length: 20 }, () => follow(id));
    await eventually(() => streams.every((stream) => stream.types().length === 1));
    const before = api.batches.reads;
    const startedAt = performance.now();
    await api.commit(id, 'output', [outputLine('c-0')]);
    await eventually(() => streams.every((stream) => stream.types().length === 2));
    // The commit itself reads once.
    const looks = api.batches.reads - before - 1;
    expect(looks).toBeLessThanOrEqual(1 + Math.ceil((performance.now() - startedAt) / 1000));
    for (const stream of streams) stream.leave();
  });
});
