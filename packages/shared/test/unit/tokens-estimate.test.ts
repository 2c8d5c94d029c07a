import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { endpoints } from '../../src/job/index.ts';
import { partTokens } from '../../src/tokens/charged-items.ts';
import { encodingOf } from '../../src/tokens/model-encoding.ts';
import { estimateTokens, loadTokenizer } from '../../src/tokens/index.ts';
import { sampleTexts } from '../../src/tokens/sample-texts.ts';
import { trueTokens } from '../support/token-corpus.ts';

const models = ['gpt-4o-mini', 'text-embedding-3-small', 'llama-3.3-70b-versatile'];
const chat = '/v1/chat/completions';
const inputOf = (body: Record<string, unknown>, endpoint: (typeof endpoints)[number] = chat) =>
  estimateTokens(endpoint, 'gpt-4o', body).inputTokens;
const user = (content: unknown) => ({ messages: [{ role: 'user', content }] });
const tokens = (text: string): number => trueTokens('o200k_base', text);

beforeAll(async () => {
  for (const model of models) await loadTokenizer(model);
});

describe('encodingOf', () => {
  test.each([
    ['gpt-4o', 'o200k_base'],
    ['gpt-4o-2024-08-06', 'o200k_base'],
    ['chatgpt-4o-latest', 'o200k_base'],
    ['gpt-4.1-nano', 'o200k_base'],
    ['gpt-5.2-pro', 'o200k_base'],
    ['o4-mini', 'o200k_base'],
    ['ft:gpt-4o-mini-2024-07-18:acme:support:8Xyz', 'o200k_base'],
    ['openai/gpt-4o-mini', 'o200k_base'],
    ['azure/openai/gpt-4o', 'o200k_base'],
    ['openai/gpt-oss-120b:free', 'o200k_base'],
    ['openai.gpt-oss-20b-1:0', 'o200k_base'],
    ['GPT-4O', 'o200k_base'],
    ['gpt-4', 'cl100k_base'],
    ['gpt-4-turbo-2024-04-09', 'cl100k_base'],
    ['ft:gpt-3.5-turbo-0125:acme::9Abc', 'cl100k_base'],
    ['gpt-35-turbo-16k', 'cl100k_base'],
    ['text-embedding-3-large', 'cl100k_base'],
    ['gpt-6-astra', null],
    ['o11', null],
    ['gpt-4ever', null],
    ['text-davinci-003', null],
    ['claude-opus-5', null],
    ['meta-llama/llama-4-scout-17b-16e-instruct', null],
    ['', null],
    ['/:'.repeat(100_000), null],
  ])('%s', (model, encoding) => {
    expect(encodingOf(model)).toBe(encoding);
  });
});

describe('chat', () => {
  test('3 a message and its role, 1 a name, 3 for the answer, and the texts', () => {
    const body = {
      messages: [
        { role: 'system', content: 'Answer in one word.' },
        { role: 'user', name: 'mara', content: [{ type: 'text', text: 'The capital of Peru?' }] },
      ],
    };
    const texts = tokens('Answer in one word.') + tokens('The capital of Peru?') + tokens('mara');
    expect(inputOf(body)).toBe(texts + 2 * 4 + 1 + 3);
  });

  test('calls of tools and their results', () => {
    const call = { type: 'function', function: { name: 'find', arguments: '{"city":"Lima"}' } };
    const body = {
      messages: [
        { role: 'assistant', content: null, tool_calls: [call] },
        { role: 'tool', tool_call_id: 'call_1', content: '11 °C' },
      ],
    };
    const texts = tokens('find') + tokens('{"city":"Lima"}') + tokens('11 °C');
    expect(inputOf(body)).toBe(texts + 2 * 4 + 3 + 3);
  });

  test('tools as published: 7 each, 3 for properties, 3 a property, 12 at the end', () => {
    const described = {
      name: 'find_weather',
      description: 'Weather of a city',
      parameters: {
        properties: {
          city: { type: 'string', description: 'Where' },
          unit: { type: 'string', enum: ['C', 'F'] },
        },
      },
    };
    const words = [
      'find_weather',
      'Weather of a city',
      'city',
      'string',
      'Where',
      'unit',
      'string',
    ];
    const texts = [...words, 'C', 'F'].map(tokens).reduce((sum, count) => sum + count, 0);
    const charged = texts + 7 + 3 + 2 * 5 - 3 + 2 * 3 + 12;
    const bare = inputOf({ messages: [] });
    expect(inputOf({ messages: [], tools: [{ type: 'function', function: described }] })).toBe(
      bare + charged,
    );
    expect(inputOf({ messages: [], functions: [described] })).toBe(bare + charged);
    const response = { tools: [{ type: 'function', ...described }] };
    expect(inputOf(response, '/v1/responses')).toBe(bare + charged);
  });

  test('pictures, recordings and files are constants, however many characters they have', () => {
    const data = `data:image/png;base64,${'iVBORw0KGgo'.repeat(50_000)}`;
    const parts = [
      { type: 'image_url', image_url: { url: data, detail: 'low' } },
      { type: 'image_url', image_url: { url: data } },
      { type: 'input_audio', input_audio: { data, format: 'wav' } },
      { type: 'file', file: { file_data: data, filename: 'a.pdf' } },
    ];
    const { lowDetailImage, image, audio, file } = partTokens;
    expect(inputOf(user(parts))).toBe(lowDetailImage + image + audio + file + 4 + 3);
  });
});

describe('the other endpoints', () => {
  test('responses: a text or items, instructions, calls and their outputs', () => {
    const of = (body: Record<string, unknown>) => inputOf(body, '/v1/responses');
    expect(of({ input: 'Hello there' })).toBe(tokens('Hello there') + 4 + 3);
    const items = [
      { role: 'user', content: [{ type: 'input_text', text: 'Hello there' }] },
      { type: 'function_call', name: 'find', arguments: '{}' },
      { type: 'function_call_output', output: 'Lima' },
      {
        type: 'message',
        content: [{ type: 'input_image', detail: 'low', image_url: 'https://x' }],
      },
    ];
    const texts = tokens('Hello there') + tokens('find') + tokens('{}') + tokens('Lima');
    expect(of({ instructions: 'Be brief', input: items })).toBe(
      tokens('Be brief') + texts + 5 * 4 + 1 + partTokens.lowDetailImage + 3,
    );
  });

  test.each(['/v1/completions', '/v1/embeddings', '/v1/moderations'] as const)(
    '%s: a text, texts, token ids, lists of token ids',
    (endpoint) => {
      const field = endpoint === '/v1/completions' ? 'prompt' : 'input';
      const of = (value: unknown) => inputOf({ [field]: value }, endpoint);
      expect(of('Hello there')).toBe(tokens('Hello there'));
      expect(of(['Hello', 'there'])).toBe(tokens('Hello') + tokens('there'));
      expect(of([1, 2, 3])).toBe(3);
      expect(of([[1, 2, 3], [4], []])).toBe(4);
    },
  );

  test('moderations of pictures', () => {
    const input = [
      { type: 'text', text: 'Hello' },
      { type: 'image_url', image_url: { url: 'https://x' } },
    ];
    expect(inputOf({ input }, '/v1/moderations')).toBe(tokens('Hello') + partTokens.image);
  });
});

describe('output', () => {
  const of = (endpoint: (typeof endpoints)[number], body: Record<string, unknown>) => {
    const { maxOutputTokens, choices } = estimateTokens(endpoint, 'some-model', body);
    return [maxOutputTokens, choices];
  };

  test('the limit of each answer, times the answers', () => {
    expect(of(chat, {})).toEqual([null, 1]);
    expect(of(chat, { max_tokens: 50 })).toEqual([50, 1]);
    expect(of(chat, { max_tokens: 50, max_completion_tokens: 70, n: 3 })).toEqual([210, 3]);
    expect(of('/v1/completions', { max_tokens: 10, n: 2, best_of: 5 })).toEqual([50, 5]);
    expect(of('/v1/completions', { max_tokens: 10, prompt: ['a', 'b'], n: 2 })).toEqual([40, 4]);
    expect(of('/v1/completions', { max_tokens: 10, prompt: [1, 2, 3] })).toEqual([10, 1]);
    expect(of('/v1/responses', { max_output_tokens: 99 })).toEqual([99, 1]);
    expect(of('/v1/embeddings', { max_tokens: 10, n: 5 })).toEqual([0, 1]);
    expect(of('/v1/moderations', {})).toEqual([0, 1]);
  });

  test('what is no number of tokens is none', () => {
    for (const max_tokens of [-1, 1.5, 1e300, '50', null, [], Number.NaN]) {
      expect(of(chat, { max_tokens, n: max_tokens })).toEqual([null, 1]);
    }
    const most = Number.MAX_SAFE_INTEGER;
    expect(of(chat, { max_tokens: most, n: most })).toEqual([most, most]);
  });
});

describe('any body', () => {
  const keys = [
    'messages',
    'content',
    'type',
    'text',
    'tools',
    'parameters',
    'properties',
    'input',
  ];
  const more = [
    'image_url',
    'tool_calls',
    'function',
    'prompt',
    'enum',
    'output',
    'n',
    'max_tokens',
  ];
  const key = fc.oneof(fc.constantFrom(...keys, ...more), fc.string());
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 5, depthSize: 'small' },
      fc.jsonValue({ maxDepth: 1 }),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(key, tie('value'), { maxKeys: 4 }),
    ),
  }));
  const body = fc.dictionary(key, value, { maxKeys: 6 });

  test('gives whole numbers that are not negative, and never throws', () => {
    fc.assert(
      fc.property(
        body,
        fc.constantFrom(...endpoints),
        fc.constantFrom(...models),
        (any, end, m) => {
          const { inputTokens, maxOutputTokens, choices } = estimateTokens(end, m, any);
          for (const number of [inputTokens, maxOutputTokens ?? 0, choices - 1]) {
            expect(Number.isSafeInteger(number) && number >= 0).toBe(true);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  test('a schema that is 100,000 levels deep is read without recursion', () => {
    let schema: unknown = { type: 'string' };
    for (let level = 0; level < 100_000; level += 1) schema = { items: schema };
    const tools = [{ function: { name: 'deep', parameters: schema } }];
    expect(inputOf({ messages: [], tools })).toBeGreaterThan(0);
  });
});

describe('long texts', () => {
  const long = (unit: string, chars = 200_000): string =>
    unit.repeat(Math.ceil(chars / unit.length)).slice(0, chars);

  test('are as near as short ones', () => {
    const report = 'The pilot of berth 14 reported calm water, light fog and two late arrivals.\n';
    const row = JSON.stringify({ id: 'ord_48213', total: 12.75, tags: ['vip', 'b2b'] });
    const mixed = long(report, 60_000) + long(row, 40_000) + long('两艘船先后到达。', 20_000);
    for (const text of [long(report, 3000), long(report), long(row), mixed]) {
      const off = inputOf(user(text)) / tokens(text.slice(0, 500_000)) - 1;
      expect(Math.abs(off)).toBeLessThan(0.08);
    }
    const texts = Array.from({ length: 2000 }, (_, index) => `${report} ${index}`);
    const all = texts.map(tokens).reduce((sum, count) => sum + count, 0);
    expect(Math.abs(inputOf({ input: texts }, '/v1/embeddings') / all - 1)).toBeLessThan(0.08);
  });

  test('cost no more for having no words: the square of 200,000 would take minutes', () => {
    const odd = ['a', 'A', ' ', '\n', '!', '7', 'é', 'ж', '汉', '😀', '\0', '=-', 'aB', '\uD800'];
    const started = performance.now();
    for (const unit of odd) {
      for (const model of models) estimateTokens(chat, model, user(long(unit)));
    }
    expect(performance.now() - started).toBeLessThan(3000);
  });

  test('a sample has the length that was asked for, in pieces of the texts, in order', () => {
    const texts = fc.array(fc.string({ maxLength: 400 }), { maxLength: 60 });
    fc.assert(
      fc.property(texts, fc.integer({ min: 8, max: 2000 }), (some, chars) => {
        const all = some.join('');
        const sample = sampleTexts(some, all.length, chars);
        if (all.length <= chars) expect(sample).toBe(some);
        expect(sample.join('').length).toBeGreaterThanOrEqual(Math.min(chars, all.length) * 0.9);
        expect(sample.join('').length).toBeLessThan(chars + 256);
        let from = 0;
        for (const piece of sample) {
          from = all.indexOf(piece, from);
          expect(from).toBeGreaterThanOrEqual(0);
        }
      }),
    );
  });
});
