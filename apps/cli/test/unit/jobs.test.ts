import { expect, test } from 'vitest';
import { jobRequestSchema } from '@nightshift/shared/http';
import { findPrice, publicPrices } from '@nightshift/shared/usage';
import { answerOf, promptOf } from '../../src/demo/answer.ts';
import { sampleJobs, smallSample } from '../../src/demo/jobs.ts';

test('the sample is what the demo says it is', () => {
  const sample = sampleJobs('demo-abc');
  expect(sample).toHaveLength(120);
  expect(new Set(sample.map(({ key }) => key)).size).toBe(120);
  expect(sample.filter(({ onPurpose }) => onPurpose !== null)).toHaveLength(4);
  expect(sample.filter(({ request }) => request.priority === 'interactive')).toHaveLength(4);
  for (const { request } of sample) {
    expect(jobRequestSchema.safeParse(request).success).toBe(true);
    expect(request.metadata['demo']).toBe('demo-abc');
  }
});

test('no two requests are the same, so that each is its own job and its own call', () => {
  const bodies = sampleJobs('demo-abc').map(({ request: { body } }) => {
    const { user: _user, ...rest } = body;
    return JSON.stringify(rest);
  });
  expect(new Set(bodies).size).toBe(120);
});

test('every model that is not a fault has a price', () => {
  for (const { request } of sampleJobs('demo-abc')) {
    const { model } = request.body;
    if (!model.startsWith('sim-')) expect(findPrice(publicPrices, model), model).toBeDefined();
  }
});

test('with a provider that costs money there are six short jobs and no fault', () => {
  const sample = smallSample('demo-abc');
  expect(sample).toHaveLength(6);
  for (const { request, expect: wanted, onPurpose } of sample) {
    expect(request.body).toMatchObject({ model: 'gpt-4o-mini' });
    expect(request.body).not.toHaveProperty('user');
    expect(Number(request.body['max_completion_tokens'])).toBeLessThanOrEqual(80);
    expect({ wanted, onPurpose }).toEqual({ wanted: { status: 'completed' }, onPurpose: null });
  }
});

test('prompts and answers are told in one line, whatever the endpoint', () => {
  expect(promptOf(sampleJobs('demo-abc')[0]!)).toMatch(/^My parcel #4000 /);
  const answer = (body: unknown): string =>
    answerOf({ response: { status_code: 200, request_id: null, body } });
  expect(answer({ choices: [{ message: { content: 'two\n lines' } }] })).toBe('two lines');
  expect(answer({ output: [{ content: [{ type: 'output_text', text: 'hello' }] }] })).toBe('hello');
  expect(answer({ data: [{ embedding: [0.5, -1, 0, 1] }] })).toMatch(
    /^a vector of 4 numbers: 0\.500, -1\.000/,
  );
  expect(answer({ results: [{ flagged: true }] })).toBe('flagged');
  expect(answer({ choices: [] })).toBe('{"choices":[]}');
  expect(answerOf({ response: null })).toBe('null');
});
