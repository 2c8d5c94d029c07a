import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { InputRequest } from '@nightshift/shared/batch';
import { createEstimateError, correct, estimateTokens } from '@nightshift/shared/tokens';
import { createInputEstimate } from '../../src/batches/estimate-input.ts';
import { arrayElements, inlineLine } from '../../src/batches/inline-requests.ts';
import { linesOf } from '../../src/batches/read-file.ts';
import {
  formatCompletionCursor,
  parseCompletionCursor,
  parseInputCursor,
} from '../../src/batches/result-cursor.ts';

describe('the elements of an array', () => {
  it('are its parts as they were written', () => {
    fc.assert(
      fc.property(
        fc.array(fc.jsonValue()),
        fc.constantFrom(undefined, 1, '\t'),
        (values, indent) => {
          const text = JSON.stringify(values, null, indent);
          const elements = [...arrayElements(text)];
          expect(elements.map((element) => JSON.parse(element) as unknown)).toEqual(
            JSON.parse(JSON.stringify(values)),
          );
          for (const element of elements) expect(text).toContain(element);
        },
      ),
    );
  });

  it.each([
    ['[]', []],
    ['[ ]', []],
    [' [1 , "a,]\\"" ] ', ['1', '"a,]\\""']],
    ['[[1,2],{"a":[3]}]', ['[1,2]', '{"a":[3]}']],
    ['["\\\\",2]', ['"\\\\"', '2']],
  ])('%s', (text, elements) => {
    expect([...arrayElements(text)]).toEqual(elements);
  });
});

describe('a request as a line', () => {
  const line = (text: string, model: string | null = null) =>
    inlineLine(text, '/v1/embeddings', model);

  it.each([
    [
      '{"custom_id":"a","body":{ "model" : "m" }}',
      null,
      '{"custom_id":"a","method":"POST","url":"/v1/embeddings","body":{ "model" : "m" }}',
    ],
    [
      '{"body":{},"custom_id":"a"}',
      'x',
      '{"custom_id":"a","method":"POST","url":"/v1/embeddings","body":{"model":"x"}}',
    ],
    [
      '{"body":{"input":1.0},"custom_id":"a"}',
      'x',
      '{"custom_id":"a","method":"POST","url":"/v1/embeddings","body":{"model":"x","input":1.0}}',
    ],
    [
      '{"body":{"model":null}}',
      'x',
      '{"method":"POST","url":"/v1/embeddings","body":{"model":null}}',
    ],
    ['{"body":[1]}', 'x', '{"method":"POST","url":"/v1/embeddings","body":[1]}'],
    ['{"method":"GET","url":7}', null, '{"method":"GET","url":7}'],
    ['7', 'x', '7'],
    ['[\n1]', null, '[ 1]'],
  ])('%s', (text, model, expected) => {
    expect(line(text, model)).toBe(expected);
  });
});

it('lines have their ends where the next begins', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.string({ unit: 'binary' }).map((text) => text.replaceAll('\n', '').toWellFormed()),
      ),
      fc.integer({ min: 1, max: 9 }),
      fc.boolean(),
      async (texts, size, isEnded) => {
        const bytes = Buffer.from(texts.join('\n') + (isEnded ? '\n' : ''));
        // A byte-order mark is not part of the first line.
        fc.pre(bytes[0] !== 0xef);
        async function* chunks() {
          for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
        }
        let from = 0;
        for await (const line of linesOf(chunks())) {
          const between = bytes.subarray(from, line.end).toString();
          expect(between.trimEnd().endsWith(line.bytes.toString().trimEnd())).toBe(true);
          from = line.end;
        }
        expect(bytes.subarray(from).toString().trim()).toBe('');
      },
    ),
    { numRuns: 100 },
  );
});

describe('cursors', () => {
  it('say where to go on, and no further than there is something', () => {
    const committed = { output: 10, failures: 5 };
    const cursor = { output: 7, failures: 5 };
    expect(parseCompletionCursor(formatCompletionCursor(cursor), committed)).toEqual(cursor);
    expect(parseCompletionCursor(undefined, committed)).toEqual({ output: 0, failures: 0 });
    for (const text of ['', 'o:1', 'o:11,f:0', 'o:0,f:6', 'o:1,f:2,', 'o:1e1,f:0', 'i:3']) {
      expect(() => parseCompletionCursor(text, committed), text).toThrow("Invalid 'after'");
    }
    expect(parseInputCursor('i:12')).toBe(12);
    for (const text of ['', 'i:', 'i:-1', 'i:1x', 'o:0,f:0']) {
      expect(() => parseInputCursor(text), text).toThrow("Invalid 'after'");
    }
  });
});

it('a sampled estimate is near the sum of all', () => {
  const estimate = createInputEstimate();
  let input = 0;
  for (let n = 0; n < 30_000; n += 1) {
    const model = n % 3 === 0 ? 'a' : 'b';
    const body = { model, input: 'word '.repeat(n % 40) };
    estimate.add({ url: '/v1/embeddings', model, body } as object as InputRequest);
    input += correct(
      createEstimateError(),
      estimateTokens('/v1/embeddings', model, body),
    ).inputTokens;
  }
  expect(estimate.isSampled()).toBe(true);
  const models = [...estimate.models().values()];
  expect(models.map(({ requests }) => requests)).toEqual([10_000, 20_000]);
  const sampled = models.reduce((sum, { inputTokens }) => sum + inputTokens, 0);
  expect(sampled / input).toBeGreaterThan(0.9);
  expect(sampled / input).toBeLessThan(1.1);
});
