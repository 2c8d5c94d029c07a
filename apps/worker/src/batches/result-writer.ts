import { text } from 'node:stream/consumers';
import type { BlobStore } from '@nightshift/blobs';
import type { Batch, ResultSegment } from '@nightshift/shared/batch';
import type { Conducting, LineResult } from '@nightshift/shared/redis';
import type { ConductorDependencies } from './conductor.ts';
import { resultLine } from './result-line.ts';
import { growFile } from './segments.ts';

const READ_AT_ONCE = 1000;
/** Most bytes of answers to hold in memory at once; a single answer may be larger. */
const WRITTEN_AT_ONCE_BYTES = 16_000_000;

/** `not_due`: results were not read. */
export type Drained = 'not_due' | 'nothing' | 'some' | 'more' | 'lost';

export interface ResultWriter {
  /** Writes results that wait. Gathers them for a while first, unless `atOnce`. */
  drain(atOnce: boolean): Promise<Drained>;
  readonly output: readonly ResultSegment[];
  readonly failures: readonly ResultSegment[];
  close(): Promise<void>;
}

/** Moves results from the batch's stream into its files: durable first, then committed, and only then forgotten. */
export function createResultWriter(
  conducting: Conducting,
  batch: Batch,
  { store, blobs, clock }: Pick<ConductorDependencies, 'store' | 'blobs' | 'clock'>,
): ResultWriter {
  const { id, epoch } = conducting;
  // A conductor that starts again within its epoch must not meet the segment that it left half written.
  const own = `${epoch}-${Math.floor(clock.now()).toString(36)}`;
  const output = growFile(blobs, (number) => `${id}/output-${own}-${number}`, batch.output);
  const failures = growFile(blobs, (number) => `${id}/errors-${own}-${number}`, batch.failures);
  let drainedAtMs = clock.monotonic();

  return {
    drain: async (atOnce) => {
      const isDue = atOnce || clock.monotonic() - drainedAtMs >= blobs.gather.forMs;
      if (!isDue) return 'not_due';
      drainedAtMs = clock.monotonic();
      const waiting = await store.results(conducting, READ_AT_ONCE);
      const stored = firstOf(waiting, WRITTEN_AT_ONCE_BYTES);
      const last = stored.at(-1);
      if (last === undefined) return 'nothing';
      const results = await Promise.all(stored.map(async (result) => withAnswer(blobs, result)));
      const lines = results.map((result) => resultLine(id, result));
      const of = (file: 'output' | 'failures'): string[] =>
        lines.filter((line) => line.file === file).map(({ text }) => text);
      const isCommitted = await store.commit(
        conducting,
        last.streamId,
        await output.append(of('output')),
        await failures.append(of('failures')),
        amountsOf(results),
        stored.flatMap(({ response }) => response?.blob?.name ?? []),
      );
      if (!isCommitted) return 'lost';
      if (waiting.length < READ_AT_ONCE && stored.length === waiting.length) return 'some';
      drainedAtMs = -Infinity;
      return 'more';
    },
    get output() {
      return output.segments;
    },
    get failures() {
      return failures.segments;
    },
    close: async () => {
      await output.close();
      await failures.close();
    },
  };
}

/** The first results whose answers fit into memory together. */
export function firstOf(results: readonly LineResult[], mostBytes: number): readonly LineResult[] {
  let bytes = 0;
  const beyond = results.findIndex(({ response }, at) => {
    bytes += response?.blob?.bytes ?? response?.body.length ?? 0;
    return at > 0 && bytes > mostBytes;
  });
  return beyond === -1 ? results : results.slice(0, beyond);
}

async function withAnswer(blobs: BlobStore, result: LineResult): Promise<LineResult> {
  const { response } = result;
  if (response?.blob == null) return result;
  return { ...result, response: { ...response, body: await text(blobs.read(response.blob.name)) } };
}

/** What results add to their batch's usage and cost; in whole numbers, which add up exactly. */
export function amountsOf(results: readonly LineResult[]): Record<string, number> {
  const sums = {
    input_tokens: 0,
    cached_input_tokens: 0,
    output_tokens: 0,
    reasoning_tokens: 0,
    total_tokens: 0,
    cost_nanodollars: 0,
    unpriced: 0,
  };
  const add = (name: keyof typeof sums, amount: number): void => {
    // A sum that is no longer exact is worth less than a batch that ends: it stays at the largest exact one.
    sums[name] = Math.min(Number.MAX_SAFE_INTEGER, sums[name] + Math.ceil(amount));
  };
  for (const { usage, costUsd } of results) {
    if (usage === null) continue;
    add('input_tokens', usage.inputTokens);
    add('cached_input_tokens', usage.cachedInputTokens);
    add('output_tokens', usage.outputTokens);
    add('reasoning_tokens', usage.reasoningTokens);
    add('total_tokens', usage.totalTokens);
    if (costUsd === null) add('unpriced', 1);
    else add('cost_nanodollars', Math.round(costUsd * 1e9));
  }
  return Object.fromEntries(Object.entries(sums).filter(([, amount]) => amount > 0));
}
