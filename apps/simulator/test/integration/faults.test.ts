import OpenAI from 'openai';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startSimulator, type Simulator } from '../../src/index.ts';
import { eventually, jsonOf } from './helpers.ts';

let simulator: Simulator;
let client: OpenAI;

beforeAll(async () => {
  simulator = await startSimulator();
  client = new OpenAI({ apiKey: 'k', baseURL: simulator.url, maxRetries: 0 });
});
afterEach(() => simulator.reset());
afterAll(() => simulator.stop());

const messages = [{ role: 'user' as const, content: 'Good evening.' }];
const ask = (model: string, options: { signal?: AbortSignal } = {}) =>
  client.chat.completions.create({ model, messages }, options);
const raw = (model: string, more: object = {}, signal?: AbortSignal) =>
  fetch(`${simulator.url}/chat/completions`, {
    method: 'POST',
    body: JSON.stringify({ model, messages, ...more }),
    ...(signal ? { signal } : {}),
  });
const lastCall = () => simulator.calls().data.at(-1);
const outcomes = () => simulator.calls().data.map(({ outcome }) => outcome);

describe('faults by model name', () => {
  it.each([400, 401, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 504, 529])(
    'sim-%d',
    async (status) => {
      await expect(ask(`sim-${status}`)).rejects.toMatchObject({ status });
      expect(lastCall()).toMatchObject({
        status,
        fault: 'status',
        outcome: status === 429 ? 'rate_limited' : 'error',
      });
    },
  );

  it('sim-429 says when to come back, sim-429-noheader does not', async () => {
    const polite = await raw('sim-429-wait-2500');
    expect([polite.headers.get('retry-after'), polite.headers.get('retry-after-ms')]).toEqual([
      '3',
      '2500',
    ]);
    expect(await polite.text()).toContain('Please try again in 2.5s.');
    const rude = await raw('sim-429-noheader');
    expect(rude.headers.get('retry-after')).toBeNull();
    expect(await rude.text()).not.toContain('try again');
  });

  it('sim-quota', async () => {
    await expect(ask('sim-quota')).rejects.toMatchObject({
      status: 429,
      code: 'insufficient_quota',
    });
  });

  it('sim-429-once and sim-fail-2 let a body through after that', async () => {
    await expect(ask('sim-429-once')).rejects.toMatchObject({ status: 429 });
    await ask('sim-429-once');
    await expect(ask('sim-fail-2')).rejects.toMatchObject({ status: 500 });
    await expect(ask('sim-fail-2')).rejects.toMatchObject({ status: 500 });
    await ask('sim-fail-2');
    expect(outcomes()).toEqual(['rate_limited', 'ok', 'error', 'error', 'ok']);
  });

  it('sim-flaky-50 fails about half of distinct bodies', async () => {
    const all = await Promise.allSettled(
      Array.from({ length: 200 }, (_, n) =>
        client.embeddings.create({ model: 'sim-flaky-50', input: `number ${n}` }),
      ),
    );
    const failed = all.filter(({ status }) => status === 'rejected').length;
    expect(failed).toBeGreaterThan(70);
    expect(failed).toBeLessThan(130);
  });

  it('sim-slow-150 answers later', async () => {
    const startedAt = performance.now();
    await ask('sim-slow-150');
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(149);
  });

  it.each(['sim-reset', 'sim-close', 'sim-truncated'])(
    '%s breaks the connection',
    async (model) => {
      await expect(ask(model)).rejects.toThrow();
      await eventually(() => lastCall()?.outcome === 'broken');
      expect(lastCall()?.client_aborted).toBe(false);
    },
  );

  it('sim-truncated breaks a stream off before its end', async () => {
    const read = async (): Promise<void> => {
      const body = { model: 'sim-truncated', messages, stream: true as const };
      for await (const _ of await client.chat.completions.create(body));
    };
    await expect(read()).rejects.toThrow();
  });

  it('sim-midstream ends a stream with an error', async () => {
    const read = async (): Promise<void> => {
      const body = { model: 'sim-midstream', messages, stream: true as const };
      for await (const _ of await client.chat.completions.create(body));
    };
    await expect(read()).rejects.toThrow('The server had an error');
    await expect(ask('sim-midstream')).rejects.toMatchObject({ status: 500 });
  });

  it.each([
    ['sim-html', 'text/html; charset=utf-8', /^<!DOCTYPE html>/],
    ['sim-halfjson', 'application/json', /^\{"id"/],
    ['sim-wrong-type', 'text/plain; charset=utf-8', /^\{"id".*\}$/],
    ['sim-shape', 'application/json', /^\{"ok":true\}$/],
    ['sim-empty', 'application/json', /^$/],
  ])('%s', async (model, type, text) => {
    const answer = await raw(model);
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, type]);
    expect(await answer.text()).toMatch(text);
    expect(lastCall()?.outcome).toBe('broken');
  });

  it('sim-halfjson is no JSON', async () => {
    await expect((await raw('sim-halfjson')).json()).rejects.toThrow();
  });

  it('sim-huge-3 and sim-gzipbomb-30 are well-formed and large', async () => {
    const huge = await jsonOf<OpenAI.ChatCompletion>(await raw('sim-huge-3'));
    expect(huge.choices[0]!.message.content!.length).toBeGreaterThan(3_000_000);
    const bomb = await jsonOf<OpenAI.ChatCompletion>(await raw('sim-gzipbomb-30'));
    expect(bomb.choices[0]!.message.content!.length).toBeGreaterThan(30_000_000);
    const embedding = await fetch(`${simulator.url}/embeddings`, {
      method: 'POST',
      body: JSON.stringify({ model: 'sim-huge-1', input: 'x' }),
    });
    expect((await jsonOf<OpenAI.CreateEmbeddingResponse>(embedding)).data).toHaveLength(1);
  });

  it('sim-drip-5 gets there byte by byte', async () => {
    const answer = await fetch(`${simulator.url}/embeddings`, {
      method: 'POST',
      body: JSON.stringify({ model: 'sim-drip-1', input: 'x', dimensions: 1 }),
    });
    let pieces = 0;
    for await (const _ of answer.body!) pieces += 1;
    expect(pieces).toBeGreaterThan(10);
  });

  it.each([
    ['sim-hang', false],
    ['sim-stall', false],
    ['sim-drip', false],
    ['sim-endless', false],
    ['sim-endless', true],
    ['sim-slow-60000', false],
  ])('%s (stream: %s) goes on until the caller leaves, which is noticed', async (model, stream) => {
    const abort = new AbortController();
    const call = raw(model, { stream }, abort.signal)
      .then((answer) => answer.text())
      .catch((error: unknown) => error);
    await eventually(() => lastCall()?.started_at_ms);
    expect(lastCall()).toMatchObject({ outcome: 'pending', ended_at_ms: null });
    const abortedAt = performance.timeOrigin + performance.now();
    abort.abort();
    await call;
    const ended = await eventually(() => lastCall()?.ended_at_ms);
    expect(lastCall()).toMatchObject({ outcome: 'aborted', client_aborted: true });
    expect(ended - abortedAt).toBeLessThan(1000);
    expect(simulator.stats().in_flight).toBe(0);
  });

  it('a misspelt fault is an unknown model', async () => {
    await expect(ask('sim-flakey-30')).rejects.toMatchObject({
      status: 404,
      code: 'model_not_found',
      message: expect.stringContaining('"flakey" is no fault'),
    });
  });
});

describe('faults by script', () => {
  it('strike whom the rules say', async () => {
    simulator.configure({
      rules: [{ match: { model: 'gpt-*', nth: { from: 2, to: 3 } }, fault: '503' }],
    });
    await ask('gpt-a');
    await expect(ask('gpt-a')).rejects.toMatchObject({ status: 503 });
    await expect(ask('gpt-b')).rejects.toMatchObject({ status: 503 });
    await ask('gpt-a');
    await ask('o3');
    simulator.configure({ rules: [] });
  });
});

describe('outages', () => {
  it('answer every call with the fault, and end', async () => {
    simulator.configure({ outage: { for_ms: 60_000 } });
    await expect(ask('m')).rejects.toMatchObject({ status: 503 });
    simulator.configure({ outage: { for_ms: 60_000, fault: 'reset' } });
    await expect(ask('m')).rejects.toThrow('Connection error');
    simulator.configure({ outage: null });
    await ask('m');
  });

  it('refuse connections, and listen again on the same port', async () => {
    simulator.configure({ outage: { for_ms: 60_000, fault: 'refuse' } });
    await expect(fetch(`${simulator.url}/models`)).rejects.toThrow();
    simulator.configure({ outage: null });
    await eventually(() => fetch(`${simulator.url}/models`).catch(() => null));
    await ask('m');
  });

  it('let go of the port even when stopped while shut', async () => {
    const other = await startSimulator();
    other.configure({ outage: { for_ms: 60_000, fault: 'refuse' } });
    await other.stop();
    const next = await startSimulator({ port: other.port });
    await next.stop();
  });
});
