import fc from 'fast-check';
import { expect, test } from 'vitest';
import { adviceOn } from '../../src/bulk/advice.ts';
import { mergeRetry, retryChain } from '../../src/bulk/output/merge-retries.ts';
import { batchView } from '../support/batches.ts';

const line = (id: string, round: number): string =>
  JSON.stringify({ custom_id: id, response: { status_code: 200, body: { round } }, error: null });
async function* linesOf(lines: readonly string[]): AsyncGenerator<string, void, undefined> {
  yield* lines;
}
async function merged(before: readonly string[], again: readonly string[]): Promise<string[]> {
  const result: string[] = [];
  for await (const one of mergeRetry(linesOf(before), linesOf(again), 'batch_2')) result.push(one);
  return result;
}

test('results of a retry replace those of its lines, and keep the order', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 40 }),
      async (rounds) => {
        // Each line was done again in so many rounds: each round has some of the lines of the one before.
        const inRound = (round: number): string[] =>
          rounds.flatMap((last, at) => (last >= round ? [line(`line-${at}`, round)] : []));
        let result = inRound(0);
        for (const round of [1, 2, 3]) result = await merged(result, inRound(round));
        expect(result).toEqual(rounds.map((last, at) => line(`line-${at}`, last)));
      },
    ),
  );
});

test('a retry of another batch is refused', async () => {
  await expect(merged([line('a', 0)], [line('b', 1)])).rejects.toThrow(
    /^batch_2 has a result for "b", but the batch that it retries does not/,
  );
});

test('a chain goes back to the first batch', async () => {
  const before: Record<string, string | null> = { c: 'b', b: 'a', a: null };
  const batch = async (id: string) => batchView({ id, retry_of: before[id] ?? null });
  const patience = { with: async <Value>(call: () => Promise<Value>) => await call() };
  const chainOf = async (id: string) =>
    (await retryChain(await batch(id), { client: { batch }, patience })).map((each) => each.id);
  expect(await chainOf('c')).toEqual(['a', 'b', 'c']);
  expect(await chainOf('a')).toEqual(['a']);
});

const group = (code: string, status: number | null, count = 1, message = '') => ({
  ...{ code, status_code: status, count, message },
});

test.each([
  ['model_not_found', 404],
  ['model_not_found', null],
  ['invalid_value', 400],
  ['http_422', 422],
  ['context_length_exceeded', 400],
  ['content_filter', 400],
  ['flagged', 403],
  ['worker_lost', null],
  ['invalid_custom_id', null],
])('%s (%s) is not retried', (code, status) => {
  const { retryable, changes } = adviceOn([group(code, status, 3)]);
  expect({ retryable, changes }).toEqual({
    retryable: 0,
    changes: [expect.stringMatching(/^3 would fail again: .*submit them again\.$/)],
  });
});

test.each([
  ['http_503', 503],
  ['server_error', 500],
  ['rate_limit_exceeded', 429],
  ['http_408', 408],
  ['batch_expired', null],
  ['batch_cancelled', null],
  ['provider_unreachable', null],
  ['request_timeout', null],
])('%s (%s) is worth a retry', (code, status) => {
  expect(adviceOn([group(code, status, 2)])).toEqual({
    ...{ retryCodes: [code], retryable: 2, failed: 2, changes: [] },
  });
});

test('a mixture gets advice for each part, and a request larger than the limit is not a rate limit', () => {
  expect(
    adviceOn([
      group('http_503', 503, 4),
      group('tokens', 429, 2, 'Request too large for gpt-4o'),
      group('invalid_value', 400, 3),
      group('http_400', 400, 1),
    ]),
  ).toEqual({
    retryCodes: ['http_503'],
    ...{ retryable: 4, failed: 10 },
    changes: [
      expect.stringMatching(/^2 would fail again: they are larger/),
      expect.stringMatching(/^4 would fail again: the provider rejected the request itself/),
    ],
  });
});
