import { expect, test } from 'vitest';
import { createLaneDiary, type CallSeen } from '../../src/lanes/lane-diary.ts';

function setUp() {
  let nowMs = 0;
  const diary = createLaneDiary({ monotonic: () => nowMs });
  const add = (more: Partial<CallSeen> = {}): void =>
    diary.add({
      ...{ outcome: 'succeeded', endpoint: '/v1/responses', outputTokens: 100, choices: 1 },
      ...more,
    });
  return { diary, add, pass: (ms: number) => void (nowMs += ms) };
}

test('what was gathered since the last call is taken once', () => {
  const { diary, add } = setUp();
  add();
  add({ outputTokens: 300 });
  add({ endpoint: '/v1/completions', outputTokens: 8, choices: 4 });
  const note = diary.take();
  expect(note?.results).toBe(3);
  expect(note?.lengths.get('/v1/responses')).toMatchObject({ answers: 2, tokens: 400 });
  expect(note?.lengths.get('/v1/completions')).toMatchObject({ answers: 1, tokens: 2 });
  expect(diary.take()).toEqual({ results: 0, lengths: new Map() });
});

test('a rejected request is a result without a length; a retried one is no result', () => {
  const { diary, add } = setUp();
  add({ outcome: 'rejected', outputTokens: null });
  add({ outputTokens: null });
  for (const outcome of ['rate_limited', 'retryable', 'aborted', 'lane_refused'] as const) {
    add({ outcome });
  }
  expect(diary.take()).toEqual({ results: 2, lengths: new Map() });
});

test('a lane without a result for a minute has nothing to report', () => {
  const { diary, add, pass } = setUp();
  expect(diary.take()).toBeNull();
  add();
  pass(60_000);
  expect(diary.take()).toMatchObject({ results: 1 });
  pass(1);
  expect(diary.take()).toBeNull();
  add();
  expect(diary.take()).toMatchObject({ results: 1 });
});
