import OpenAI from 'openai';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { bodyDigest, parseAnswerText, startSimulator, type Simulator } from '../../src/index.ts';

let simulator: Simulator;
let client: OpenAI;

beforeAll(async () => {
  simulator = await startSimulator();
  client = new OpenAI({ apiKey: 'k', baseURL: simulator.url, maxRetries: 0 });
});
afterEach(() => simulator.reset());
afterAll(() => simulator.stop());

const lastCall = () => simulator.calls().data.at(-1)!;
const messages = [{ role: 'user' as const, content: 'Good evening.' }];

describe('the official SDK', () => {
  it('completes a chat, and the answer names the very call', async () => {
    const body = { model: 'gpt-4o-mini', messages, metadata: { marker: 'job_1' } };
    const answer = await client.chat.completions.create(body);
    const call = lastCall();
    const text = parseAnswerText(answer.choices[0]!.message.content!);
    expect(text).toEqual({ call: call.n, digest: bodyDigest(body), marker: 'job_1' });
    expect(call).toMatchObject({
      path: '/v1/chat/completions',
      model: 'gpt-4o-mini',
      marker: 'job_1',
      attempt: 1,
      status: 200,
      outcome: 'ok',
      client_aborted: false,
      response_id: answer.id,
    });
    expect(call.body_sha256.slice(0, 12)).toBe(bodyDigest(body));
    const inputTokens = Math.ceil(JSON.stringify(body).length / 4);
    expect(answer.usage).toMatchObject({
      prompt_tokens: inputTokens,
      completion_tokens: 24,
      total_tokens: inputTokens + 24,
    });
  });

  it('gives each call its own id, and the same usage', async () => {
    const body = { model: 'gpt-4o-mini', messages };
    const [first, second] = [
      await client.chat.completions.create(body),
      await client.chat.completions.create(body),
    ];
    expect(first.id).not.toBe(second.id);
    expect(first.usage).toEqual(second.usage);
    expect(lastCall().attempt).toBe(2);
  });

  it('streams a chat with its usage at the end', async () => {
    const stream = await client.chat.completions.create({
      model: 'gpt-4o-mini',
      messages,
      stream: true,
      stream_options: { include_usage: true },
      n: 2,
    });
    const texts = ['', ''];
    let usage: OpenAI.CompletionUsage | null | undefined;
    const reasons: string[] = [];
    for await (const chunk of stream) {
      for (const choice of chunk.choices) {
        texts[choice.index] += choice.delta.content ?? '';
        if (choice.finish_reason) reasons.push(choice.finish_reason);
      }
      usage = chunk.usage;
    }
    expect(parseAnswerText(texts[0]!)).toMatchObject({ call: lastCall().n });
    expect(texts[1]).toBe(texts[0]);
    expect(reasons).toEqual(['stop', 'stop']);
    expect(usage).toMatchObject({ completion_tokens: 48 });
    expect(lastCall()).toMatchObject({ stream: true, outcome: 'ok', output_tokens: 48 });
  });

  it('assembles a streamed chat with its own helper', async () => {
    const stream = client.chat.completions.stream({ model: 'gpt-4o-mini', messages });
    const answer = await stream.finalChatCompletion();
    expect(parseAnswerText(answer.choices[0]!.message.content!)).not.toBeNull();
  });

  it('answers with JSON when a format asks for it', async () => {
    const answer = await client.chat.completions.create({
      model: 'gpt-4o-mini',
      messages,
      response_format: { type: 'json_object' },
      user: 'u"1',
    });
    const json = JSON.parse(answer.choices[0]!.message.content!);
    expect(json).toEqual({
      call: lastCall().n,
      body: lastCall().body_sha256.slice(0, 12),
      marker: 'u"1',
    });
  });

  it('says what the script has it say, as long as that is', async () => {
    simulator.configure({
      answers: [{ model: 'gpt-4o*', when: 'order (#\\d+)', say: 'Order $1 is on its way.' }],
    });
    const ask = async (model: string, more: object = {}) =>
      client.chat.completions.create({
        model,
        messages: [{ role: 'user', content: [{ type: 'text', text: 'Where is\norder #17?' }] }],
        ...more,
      });
    const answer = await ask('gpt-4o-mini');
    expect(answer.choices[0]!.message.content).toBe('Order #17 is on its way.');
    expect(answer.usage!.completion_tokens).toBe(6);
    expect(answer.id).toContain(`-${lastCall().n}-`);
    const short = await ask('gpt-4o', { max_completion_tokens: 2 });
    expect(short.choices[0]).toMatchObject({
      message: { content: 'Order #1' },
      finish_reason: 'length',
    });
    const other = await ask('gpt-5');
    expect(parseAnswerText(other.choices[0]!.message.content!)).not.toBeNull();
    expect(() => simulator.configure({ answers: [{ when: '(', say: 'x' }] })).toThrow(
      /answers\.0\.when: .*Unterminated group/,
    );
    simulator.configure({ answers: [] });
  });

  it('says length when max_tokens is less than the answer', async () => {
    const answer = await client.chat.completions.create({
      model: 'gpt-4o-mini',
      messages,
      max_completion_tokens: 5,
    });
    expect(answer.choices[0]!.finish_reason).toBe('length');
    expect(answer.usage!.completion_tokens).toBe(5);
  });

  it('completes and streams a prompt', async () => {
    const body = { model: 'gpt-3.5-turbo-instruct', prompt: 'Good evening.' };
    const answer = await client.completions.create(body);
    expect(parseAnswerText(answer.choices[0]!.text)?.digest).toBe(bodyDigest(body));
    let text = '';
    let total = 0;
    const streamed = { ...body, stream: true as const, stream_options: { include_usage: true } };
    for await (const chunk of await client.completions.create(streamed)) {
      text += chunk.choices[0]?.text ?? '';
      total = chunk.usage?.total_tokens ?? 0;
    }
    expect(parseAnswerText(text)?.digest).toBe(bodyDigest(streamed));
    expect(total).toBe(lastCall().input_tokens + 24);
  });

  it('creates and streams a response', async () => {
    const body = { model: 'gpt-5', input: 'Good evening.', metadata: { marker: 'r1' } };
    const answer = await client.responses.create(body);
    expect(parseAnswerText(answer.output_text)?.marker).toBe('r1');
    expect(answer).toMatchObject({ status: 'completed', metadata: { marker: 'r1' }, error: null });
    const stream = client.responses.stream(body);
    const sequence: number[] = [];
    let text = '';
    for await (const event of stream) {
      sequence.push(event.sequence_number);
      if (event.type === 'response.output_text.delta') text += event.delta;
    }
    const final = await stream.finalResponse();
    expect(final.output_text).toBe(text);
    const { input_tokens: inputTokens } = lastCall();
    expect(final.usage).toMatchObject({ input_tokens: inputTokens, output_tokens: 24 });
    expect(sequence).toEqual(sequence.map((_, index) => index));
  });

  it('refuses a background response, which only a queue in front can give', async () => {
    const refused = client.responses.create({ model: 'm', input: 'x', background: true });
    await expect(refused).rejects.toMatchObject({ status: 400, param: 'background' });
  });

  it('embeds, as base64 or floats, equal inputs alike', async () => {
    const body = { model: 'text-embedding-3-small', input: ['one', 'two', 'one'] };
    const fromBase64 = await client.embeddings.create(body);
    const asFloats = await client.embeddings.create({ ...body, encoding_format: 'float' });
    const [one, two, again] = fromBase64.data.map(({ embedding }) => embedding);
    expect(one).toEqual(again);
    expect(one).not.toEqual(two);
    expect(one).toHaveLength(16);
    expect(asFloats.data.map(({ embedding }) => embedding)).toEqual([one, two, again]);
    expect(Math.hypot(...one!)).toBeCloseTo(1, 5);
    const short = await client.embeddings.create({ ...body, dimensions: 3 });
    expect(short.data[0]!.embedding).toHaveLength(3);
    expect(lastCall()).toMatchObject({ outcome: 'ok', output_tokens: 0 });
  });

  it('moderates', async () => {
    const answer = await client.moderations.create({ input: ['a', 'b'] });
    expect(answer.results.map(({ flagged }) => flagged)).toEqual([false, false]);
    expect(answer.results[0]!.categories['self-harm/intent']).toBe(false);
  });

  it('lists models and finds one', async () => {
    const { data } = await client.models.list();
    expect(data.map(({ id }) => id)).toContain('gpt-4o-mini');
    expect((await client.models.retrieve('any/model')).id).toBe('any/model');
    await expect(client.models.retrieve('sim-404')).rejects.toMatchObject({ status: 404 });
  });

  it('is told what is wrong with a request', async () => {
    const noMessages = client.chat.completions.create({ model: 'm' } as never);
    await expect(noMessages).rejects.toMatchObject({
      status: 400,
      param: 'messages',
      code: 'missing_required_parameter',
    });
    await expect(
      client.chat.completions.create({ model: 'm', messages, temperature: 3 }),
    ).rejects.toMatchObject({
      status: 400,
      param: 'temperature',
      code: 'decimal_above_max_value',
      message: expect.stringContaining('Expected a value <= 2, but got 3 instead.'),
    });
    const noModel = client.embeddings.create({ input: 'x' } as never);
    await expect(noModel).rejects.toMatchObject({ status: 400, param: 'model' });
    const broken = await fetch(`${simulator.url}/chat/completions`, { method: 'POST', body: '{' });
    expect(broken.status).toBe(400);
    const elsewhere = await fetch(`${simulator.url}/nothing`);
    expect([elsewhere.status, await elsewhere.json()]).toMatchObject([
      404,
      { error: { code: 'unknown_url' } },
    ]);
  });
});

describe('hostile bodies', () => {
  const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
  it.each([
    ['embeddings', `{"model":"m","input":${deep}}`, 400],
    ['embeddings', '{"model":"m","input":[{"toString":1}]}', 400],
    ['chat/completions', `{"model":"m","messages":${deep}}`, 200],
    [
      'chat/completions',
      '{"model":"m","messages":[1],"response_format":{"type":{"toString":1}}}',
      200,
    ],
    ['responses', `{"model":"m","input":${deep},"metadata":{"a":${deep}}}`, 200],
    ['moderations', `{"input":${deep}}`, 200],
    ['completions', `{"model":"__proto__","prompt":${deep}}`, 200],
    ['completions', '{"__proto__":{"model":"m"},"prompt":"x"}', 400],
    ['completions', '[]', 400],
    ['completions', '', 400],
  ])('%s %.40s… gets %d', async (path, body, status) => {
    const answer = await fetch(`${simulator.url}/${path}`, { method: 'POST', body });
    expect(answer.status).toBe(status);
    await answer.json();
    expect(JSON.stringify(simulator.stats())).toContain('"in_flight":0');
  });
});

describe('keys', () => {
  it('are asked for when there are any', async () => {
    const locked = await startSimulator({ apiKeys: ['right'] });
    try {
      const ask = (apiKey: string) =>
        new OpenAI({ apiKey, baseURL: locked.url, maxRetries: 0 }).embeddings.create({
          model: 'm',
          input: 'x',
        });
      await expect(ask('wrong')).rejects.toMatchObject({ status: 401, code: 'invalid_api_key' });
      await expect(ask('right')).resolves.toMatchObject({ object: 'list' });
      expect((await fetch(`${locked.url}/models`)).status).toBe(401);
    } finally {
      await locked.stop();
      await locked.stop();
    }
  });
});
