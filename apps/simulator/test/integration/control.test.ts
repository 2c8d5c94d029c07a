import OpenAI from 'openai';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startSimulator, type LedgerPage, type Simulator, type Stats } from '../../src/index.ts';
import { eventually, jsonOf, type ErrorEnvelope } from './helpers.ts';

let simulator: Simulator;
let origin: string;
let nowMs: number;

beforeEach(async () => {
  // Buckets are about time, so time stands still until a test moves it.
  nowMs = 1_000_000;
  simulator = await startSimulator({ clock: () => nowMs });
  origin = new URL(simulator.url).origin;
});
afterEach(() => simulator.stop());

const get = async <Body = unknown>(path: string) => jsonOf<Body>(await fetch(`${origin}${path}`));
const post = (path: string, body: unknown) =>
  fetch(`${origin}${path}`, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { authorization: 'Bearer k' },
  });
const client = (apiKey = 'k') => new OpenAI({ apiKey, baseURL: simulator.url, maxRetries: 0 });
const embed = (model: string, input: string, apiKey?: string) =>
  client(apiKey).embeddings.create({ model, input });
const outcomesOf = (all: Array<PromiseSettledResult<unknown>>) =>
  all.filter(({ status }) => status === 'fulfilled').length;

describe('limits', () => {
  it('admit exactly as many as fit, and say what remains', async () => {
    simulator.configure({ limits: { m: { requests_per_minute: 60 } } });
    const all = await Promise.allSettled(Array.from({ length: 80 }, (_, n) => embed('m', `${n}`)));
    expect(outcomesOf(all)).toBe(60);
    expect(simulator.stats()).toMatchObject({ calls: 80, rate_limited: 20 });
    nowMs += 250;
    const refused = await post('/v1/embeddings', { model: 'm', input: 'more' });
    expect(refused.status).toBe(429);
    expect(refused.headers.get('x-ratelimit-remaining-requests')).toBe('0');
    expect(refused.headers.get('x-ratelimit-reset-requests')).toBe('59.75s');
    expect(refused.headers.get('retry-after-ms')).toBe('1000');
    expect(refused.headers.get('retry-after')).toBe('1');
    expect((await jsonOf<ErrorEnvelope>(refused)).error).toMatchObject({
      type: 'requests',
      code: 'rate_limit_exceeded',
      message: expect.stringMatching(/requests per min \(RPM\): Limit 60, Used 60, Requested 1\./),
    });
    nowMs += 750;
    await embed('m', 'one more');
    await expect(embed('m', 'and another')).rejects.toMatchObject({ status: 429 });
  });

  it('are each key’s own, and each model’s', async () => {
    simulator.configure({ limits: { '*': { requests_per_minute: 1 } } });
    await embed('m', 'x', 'a');
    await expect(embed('m', 'y', 'a')).rejects.toMatchObject({ status: 429 });
    await embed('m', 'y', 'b');
    await embed('n', 'y', 'a');
  });

  it('can be changed while it runs', async () => {
    simulator.configure({ limits: { m: { requests_per_minute: 1 } } });
    await embed('m', 'x');
    await expect(embed('m', 'y')).rejects.toMatchObject({ status: 429 });
    await post('/_simulator/config', { limits: { m: { requests_per_minute: 100 } } });
    await embed('m', 'y');
    await post('/_simulator/config', { limits: { m: null } });
    const answer = await post('/v1/embeddings', { model: 'm', input: 'z' });
    expect(answer.headers.get('x-ratelimit-limit-requests')).toBeNull();
  });

  it('charge max_tokens at admission and give back only what is configured', async () => {
    simulator.configure({ limits: { m: { tokens_per_minute: 10_000 } }, refund: true });
    const body = { model: 'm', messages: [{ role: 'user', content: 'x' }], max_tokens: 5000 };
    const first = await post('/v1/chat/completions', body);
    const { prompt_tokens: prompt, total_tokens: used } = (
      await jsonOf<OpenAI.ChatCompletion>(first)
    ).usage!;
    expect(first.headers.get('x-ratelimit-remaining-tokens')).toBe(String(5000 - prompt));
    const second = await post('/v1/chat/completions', { ...body, max_tokens: 1 });
    const charged = simulator.calls().data.map((call) => call.charged_tokens);
    expect(charged[0]).toBe(5000 + prompt);
    expect(second.headers.get('x-ratelimit-remaining-tokens')).toBe(
      String(10_000 - used - charged[1]!),
    );
  });
});

describe('slots', () => {
  it('run so many, queue the others, refuse the rest, and say so on the metrics page', async () => {
    simulator.configure({ limits: { 'sim-*': { slots: 2, queue_limit: 1 } } });
    const abort = new AbortController();
    const hang = (input: string, signal: AbortSignal) =>
      client()
        .embeddings.create({ model: 'sim-hang', input }, { signal })
        .catch((error: unknown) => error);
    const queuedAbort = new AbortController();
    const running = [hang('1', abort.signal), hang('2', abort.signal)];
    await eventually(
      () => simulator.calls().data.filter((call) => call.started_at_ms).length === 2,
    );
    const queued = hang('3', queuedAbort.signal);
    await eventually(() => simulator.stats().in_flight === 3);
    await expect(embed('sim-hang', '4')).rejects.toMatchObject({ status: 503 });
    const metrics = async () => (await fetch(`${origin}/metrics`)).text();
    expect(await metrics()).toContain('vllm:num_requests_running{model_name="sim-hang"} 2');
    expect(await metrics()).toContain('vllm:num_requests_waiting{model_name="sim-hang"} 1');
    queuedAbort.abort();
    await queued;
    await eventually(() => simulator.calls().data[2]?.outcome === 'aborted');
    expect(simulator.calls().data[2]?.started_at_ms).toBeNull();
    abort.abort();
    await Promise.all(running);
    await eventually(() => simulator.stats().in_flight === 0);
    expect(await metrics()).toContain('vllm:num_requests_running{model_name="sim-hang"} 0');
  });

  it('serve who waits in turn', async () => {
    simulator.configure({ limits: { m: { slots: 1 } }, latency: 5 });
    await Promise.all(Array.from({ length: 10 }, (_, n) => embed('m', `${n}`)));
    const starts = simulator.calls().data.map(({ started_at_ms: startedAt }) => startedAt ?? 0);
    expect(starts).toEqual(starts.toSorted((left, right) => left - right));
    expect(simulator.stats().max_in_flight).toBeGreaterThan(1);
  });
});

describe('the control API', () => {
  it('lists calls, page by page', async () => {
    for (const input of ['a', 'b', 'c']) await embed('m', input);
    await embed('n', 'd');
    const first = await get<LedgerPage>('/_simulator/calls?limit=2');
    expect(first).toMatchObject({ object: 'list', has_more: true, last_n: 2 });
    const rest = await get<LedgerPage>(`/_simulator/calls?after=${first.last_n}&model=m`);
    expect(rest.data).toHaveLength(1);
    const digest = rest.data[0]!.body_sha256.slice(0, 12);
    expect((await get<LedgerPage>(`/_simulator/calls?digest=${digest}`)).data).toEqual(rest.data);
  });

  it('counts', async () => {
    await embed('m', 'a');
    await embed('m', 'a');
    await embed('sim-429', 'a').catch(() => undefined);
    expect(await get('/_simulator/stats')).toMatchObject({
      calls: 3,
      in_flight: 0,
      rate_limited: 1,
      repeated: 1,
      models: {
        m: { calls: 2, by_status: { 200: 2 }, by_outcome: { ok: 2 } },
        'sim-429': { by_status: { 429: 1 } },
      },
    });
  });

  it('tells what was let in and refused, second by second', async () => {
    simulator.configure({ limits: { m: { requests_per_minute: 60 } }, start_level: 'empty' });
    await embed('m', 'a').catch(() => undefined);
    nowMs += 1000;
    await embed('m', 'a');
    await embed('n', 'a');
    const { charged_tokens: tokens } = simulator.calls().data[1]!;
    expect(await get('/_simulator/timeline?model=m')).toEqual({
      object: 'list',
      data: [
        { at_s: 1000, model: 'm', admitted: 0, refused: 1, charged_tokens: 0 },
        { at_s: 1001, model: 'm', admitted: 1, refused: 0, charged_tokens: tokens },
      ],
    });
    expect(await get('/_simulator/timeline?after=1000')).toMatchObject({
      data: [{ model: 'm' }, { model: 'n' }],
    });
  });

  it('sums up an engine’s queue', async () => {
    simulator.configure({ limits: { 'sim-hang': { slots: 1 } } });
    const abort = new AbortController();
    const hanging = ['a', 'b'].map(async (input) =>
      client()
        .embeddings.create({ model: 'sim-hang', input }, { signal: abort.signal })
        .catch(() => undefined),
    );
    await eventually(() => simulator.stats().engines['sim-hang']?.waiting === 1);
    nowMs += 500;
    expect(await get('/_simulator/stats')).toMatchObject({
      at_ms: 1_000_500,
      engines: { 'sim-hang': { running_ms: 500, waiting_ms: 500 } },
    });
    abort.abort();
    await Promise.all(hanging);
    await eventually(() => simulator.stats().in_flight === 0);
    expect(simulator.stats().engines['sim-hang']).toMatchObject({ running: 0, waiting: 0 });
  });

  it('shows settings that it takes back, and forgets on reset', async () => {
    simulator.configure({ rules: [{ fault: '500-p0' }], latency: 'uniform:0-1' });
    const settings = await get('/_simulator/config');
    expect((await post('/_simulator/config', settings)).status).toBe(200);
    expect(await get('/_simulator/config')).toEqual(settings);
    await embed('m', 'a');
    await post('/_simulator/reset', {});
    expect((await get<Stats>('/_simulator/stats')).calls).toBe(0);
    expect((await get<LedgerPage>('/_simulator/calls')).data).toEqual([]);
  });

  it.each([
    ['/_simulator/config', { limits: { m: { slots: 0 } } }, 'limits.m.slots'],
    ['/_simulator/config', { outage: { for_ms: -1 } }, 'outage.for_ms'],
    ['/_simulator/nothing', {}, null],
  ])('refuses %s %j', async (path, body, param) => {
    const answer = await post(path, body);
    expect(answer.status).toBe(param === null ? 404 : 400);
    expect((await jsonOf<ErrorEnvelope>(answer)).error.param).toBe(param);
  });

  it('refuses a wrong query by name', async () => {
    const answer = await fetch(`${origin}/_simulator/calls?limit=0`);
    expect([answer.status, (await jsonOf<ErrorEnvelope>(answer)).error.param]).toEqual([
      400,
      'limit',
    ]);
    const timeline = await fetch(`${origin}/_simulator/timeline?after=now`);
    expect([timeline.status, (await jsonOf<ErrorEnvelope>(timeline)).error.param]).toEqual([
      400,
      'after',
    ]);
  });
});

describe('latency', () => {
  it('paces a stream from its first token on', async () => {
    simulator.configure({ first_token: 40, ms_per_token: 5, output_tokens: 20 });
    const startedAt = performance.now();
    const stream = await client().chat.completions.create({
      model: 'm',
      messages: [{ role: 'user', content: 'x' }],
      stream: true,
    });
    const arrivals: number[] = [];
    for await (const _ of stream) arrivals.push(performance.now() - startedAt);
    expect(arrivals[0]).toBeGreaterThanOrEqual(39);
    expect(arrivals.at(-1)).toBeGreaterThanOrEqual(139);
    expect(arrivals.length).toBeGreaterThan(15);
  });
});
