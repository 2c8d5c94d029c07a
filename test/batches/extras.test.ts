import { eventually } from '@nightshift/local';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  inputFile,
  names,
  request,
  setBatchStage,
  type Batch,
  type BatchStage,
} from '../support/batch-stage.ts';

let stage: BatchStage;
beforeAll(async () => {
  stage = await setBatchStage();
});
afterAll(async () => {
  await stage.stop();
});

const json = async <Value>(answer: Response | Promise<Response>): Promise<Value> => {
  const { ok, status } = await answer;
  const text = await (await answer).text();
  if (!ok) throw new Error(`${status}: ${text}`);
  return JSON.parse(text) as Value;
};
const idsOf = (text: string): string[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => (JSON.parse(line) as { custom_id: string }).custom_id);

describe('results while it runs', () => {
  it.each(['completion', 'input'])(
    'come in parts that add up, in the order of %s',
    async (order) => {
      await stage.latency(200);
      const ids = names(`run-${order}`, 600);
      const { id } = await stage.create({ input_file_id: await stage.upload(inputFile(ids)) });
      const seen: string[] = [];
      let after = '';
      let partsWhileRunning = 0;
      await eventually(
        async () => {
          const answer = await stage.call(
            `/batches/${id}/results?order=${order}&limit=250${after}`,
          );
          expect(answer.status).toBe(200);
          const part = idsOf(await answer.text());
          if (part.length > 0 && answer.headers.get('x-batch-status') === 'in_progress') {
            partsWhileRunning += 1;
          }
          seen.push(...part);
          after = `&after=${answer.headers.get('x-next-after')}`;
          return answer.headers.get('x-has-more') === 'false';
        },
        { timeoutMs: 120_000, intervalMs: 100 },
      );
      expect(partsWhileRunning).toBeGreaterThan(1);
      expect(order === 'input' ? seen : seen.toSorted()).toEqual(
        order === 'input' ? ids : ids.toSorted(),
      );
      const batch = await stage.settled(id);
      await stage.judged(batch, ids);
    },
  );

  it('are told of by events until it has ended', async () => {
    await stage.latency(100);
    const ids = names('events', 300);
    const { id } = await stage.create({ input_file_id: await stage.upload(inputFile(ids)) });
    const text = await (await stage.call(`/batches/${id}/events`)).text();
    const types = [...text.matchAll(/^event: (.*)$/gm)].map(([, type]) => type);
    expect(types.at(-1)).toBe('batch.completed');
    expect(types.length).toBeGreaterThan(1);
    expect((await stage.client.batches.retrieve(id)).status).toBe('completed');
  });
});

describe('a retry', () => {
  it('does again only what failed, and tells what failed by groups', async () => {
    await stage.latency(0);
    const good = names('good', 5);
    const text =
      inputFile(good) +
      inputFile(names('bad', 3), 'sim-400') +
      inputFile(names('gone', 2), 'sim-404');
    const first = await stage.create({ input_file_id: await stage.upload(text) });
    await expect(json(stage.call(`/batches/${first.id}/retry`, {}))).rejects.toThrow('409');
    await stage.settled(first.id);
    const groups = await json<{ data: { code: string; status_code: number; count: number }[] }>(
      stage.call(`/batches/${first.id}/errors`),
    );
    expect(groups.data.map(({ status_code: status, count }) => [status, count])).toEqual([
      [400, 3],
      [404, 2],
    ]);

    const callsOf = async (prefix: string) =>
      (await stage.calls()).filter(({ marker }) => marker?.startsWith(prefix)).length;
    const callsOfGood = await callsOf('good-');
    const all = await json<Batch & { retry_of: string }>(
      stage.call(`/batches/${first.id}/retry`, {}),
    );
    expect(all.retry_of).toBe(first.id);
    const again = await stage.settled(all.id);
    await stage.judged(again, [...names('bad', 3), ...names('gone', 2)]);
    expect(await callsOf('good-')).toBe(callsOfGood);

    const some = await json<Batch>(
      stage.call(`/batches/${first.id}/retry`, {
        filter: { error_code: 'http_404', custom_ids: ['gone-1', 'bad-1', 'good-1'] },
      }),
    );
    await stage.judged(await stage.settled(some.id), ['gone-1']);
    expect(await callsOf('good-')).toBe(callsOfGood);
  });
});

describe('requests in place of a file', () => {
  it('run as a batch with a file', async () => {
    const ids = names('inline', 20);
    const { id, input_file_id: file } = await json<Batch>(
      stage.call('/batches', {
        endpoint: '/v1/chat/completions',
        completion_window: '1h',
        requests: ids.map((customId) => request(customId)),
      }),
    );
    await stage.judged(await stage.settled(id), ids);
    const meta = await stage.client.files.retrieve(file);
    expect(meta.purpose).toBe('batch');
    const bad = await stage.call('/batches', {
      endpoint: '/v1/chat/completions',
      completion_window: '1h',
      requests: [request('a'), request('a')],
    });
    expect(bad.status).toBe(400);
  });
});

describe('pause', () => {
  it('calls nothing until it is resumed', async () => {
    await stage.latency(100);
    const ids = names('pause', 400);
    const { id } = await stage.create({ input_file_id: await stage.upload(inputFile(ids)) });
    await stage.reaches(id, ({ request_counts: counts }) => (counts?.completed ?? 0) > 0);
    expect(await json(stage.call(`/batches/${id}/pause`, {}))).toMatchObject({ paused: true });
    // What was called comes back; then it stands still.
    let before = -1;
    await eventually(
      async () => {
        const { length } = await stage.calls();
        const isStill = length === before;
        before = length;
        return isStill;
      },
      { intervalMs: 1500, timeoutMs: 30_000 },
    );
    const paused = await stage.client.batches.retrieve(id);
    expect(paused.status).toBe('in_progress');
    expect(paused.request_counts?.completed).toBeLessThan(400);
    expect(await json(stage.call(`/batches/${id}/resume`, {}))).toMatchObject({ paused: false });
    await stage.judged(await stage.settled(id), ids);
  });
});

describe('a dry run', () => {
  it('tells what a batch would be, and starts nothing', async () => {
    const file = await stage.upload(inputFile(names('dry', 10)) + '{\n');
    const before = (await stage.client.batches.list()).data.length;
    const found = await json<Record<string, unknown>>(
      stage.call('/batches?dry_run=true', {
        input_file_id: file,
        endpoint: '/v1/chat/completions',
        completion_window: '24h',
      }),
    );
    expect(found).toMatchObject({
      object: 'batch.dry_run',
      valid: false,
      request_counts: { total: 11, valid: 10, invalid: 1 },
      errors: { data: [{ code: 'invalid_json_line', line: 11 }] },
    });
    expect((await stage.client.batches.list()).data.length).toBe(before);
    expect(await stage.client.files.delete(file)).toMatchObject({ deleted: true });
  });
});
