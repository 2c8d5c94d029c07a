import type { BatchView } from '@nightshift/shared/http';
import type { BulkClient } from '../client.ts';
import { CommandError } from '../exit-codes.ts';
import type { Patience } from '../patience.ts';
import { linesOf, resultBytes } from './result-lines.ts';
import type { ResultLine } from './result.ts';

type Calls = { client: Pick<BulkClient, 'batch' | 'results'>; patience: Patience };

/** A batch and the batches that it retries, first batch first. */
export async function retryChain(
  batch: BatchView,
  { client, patience }: Pick<Calls, 'patience'> & { client: Pick<BulkClient, 'batch'> },
): Promise<BatchView[]> {
  const chain = [batch];
  for (let before = batch.retry_of; before !== null;) {
    const id: string = before;
    const retried = await patience.with(async () => await client.batch(id));
    chain.unshift(retried);
    before = retried.retry_of;
  }
  return chain;
}

/** The results of a chain's first batch, in the order of its input, each as of its last retry. */
export async function* mergedResults(
  chain: readonly string[],
  calls: Calls,
): AsyncGenerator<string, void, undefined> {
  const [first = '', ...retries] = chain;
  const resultsOf = (id: string) => linesOf(resultBytes(id, 'input', calls));
  let merged = resultsOf(first);
  for (const id of retries) merged = mergeRetry(merged, resultsOf(id), id);
  yield* merged;
}

/**
 * Replaces results by those of a retry. A retry has a subset of the lines of the batch that it retries, in the same order, so both
 * are read in step and nothing is buffered.
 * @throws CommandError if the retry has a line that the batch does not have
 */
export async function* mergeRetry(
  before: AsyncIterable<string>,
  again: AsyncGenerator<string, void, undefined>,
  retryId: string,
): AsyncGenerator<string, void, undefined> {
  try {
    let next = await again.next();
    for await (const line of before) {
      if (next.done === true || idOf(next.value) !== idOf(line)) {
        yield line;
        continue;
      }
      yield next.value;
      next = await again.next();
    }
    if (next.done !== true) {
      throw new CommandError(
        `${retryId} has a result for ${JSON.stringify(idOf(next.value))}, but the batch that it retries does not: write its results separately, with nightshift results`,
      );
    }
  } finally {
    await again.return();
  }
}

const idOf = (line: string): string => (JSON.parse(line) as ResultLine).custom_id;
