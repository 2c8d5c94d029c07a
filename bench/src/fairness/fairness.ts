import { mkdtemp, rm } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { eventually, startSimulator } from '@nightshift/local';
import { conclude, figureOf, type Figure } from '../measure/figures.ts';
import { startBatchStack, type BatchStack } from '../sides/batch-stack.ts';
import { writeInputFile } from '../validate/input-file.ts';
import { parseFairnessOptions, type FairnessOptions } from './options.ts';

const BARS = { ratio: 2.5 } as const;
const PATIENCE_MS = 300_000;
const LINE_BYTES = 500;
/** Lines of the large batch that are done before the small one comes: all of its window has been in the lane. */
const HEAD_START = 1500;

interface FairnessRound {
  aloneMs: number;
  besideMs: number;
  /** Lines of the large batch that were done meanwhile. */
  largeLines: number;
}

/** `bench fairness`; see METHOD.md. Resolves to the exit code. */
export async function runFairness(args: readonly string[]): Promise<number> {
  const options = parseFairnessOptions(args);
  const folder = await mkdtemp(join(tmpdir(), 'nightshift-bench-'));
  try {
    const write = async (name: string, lines: number): Promise<string> => {
      const path = join(folder, `${name}.jsonl`);
      await writeInputFile(path, { lines, bytes: lines * LINE_BYTES, content: 'text' });
      return path;
    };
    const files = {
      small: await write('small', options.small),
      large: await write('large', options.large),
    };
    const rounds: FairnessRound[] = [];
    for (let round = 1; round <= options.rounds; round += 1) {
      rounds.push(await runRound(files, options));
      const { aloneMs, besideMs, largeLines } = rounds.at(-1) as FairnessRound;
      console.log(
        `round ${round}: alone ${aloneMs.toFixed(0)} ms, beside the large one ${besideMs.toFixed(0)} ms, which got ${largeLines} lines done meanwhile; load ${loadavg()[0]?.toFixed(1)}`,
      );
    }
    const { small, large, latencyMs } = options;
    return await conclude('fairness', summarise(rounds), {
      title: `${small} lines beside ${large} in one lane, ${latencyMs} ms a call, ${options.rounds} rounds: median (least–most)`,
      options,
      more: { rounds },
    });
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function runRound(
  files: { small: string; large: string },
  { latencyMs }: FairnessOptions,
): Promise<FairnessRound> {
  await using stack = new AsyncDisposableStack();
  const provider = await startSimulator({ args: ['--latency', String(latencyMs)] });
  stack.defer(async () => void (await provider.child.stop()));
  const ours = await startBatchStack({ providerUrl: provider.url, concurrency: 64 });
  stack.defer(async () => ours.stop());
  const small = await ours.client.upload(files.small);
  const large = await ours.client.upload(files.large);

  // Warms up: a lane that nobody has called is tried carefully at first.
  await finishingMs(ours, small.fileId);
  const aloneMs = await finishingMs(ours, small.fileId);
  const largeId = await ours.client.create(large.fileId);
  const done = async (): Promise<number> =>
    Number(await ours.own.reader.hget(ours.own.keys.batch(largeId), 'completed'));
  await eventually(async () => (await done()) >= HEAD_START, {
    timeoutMs: PATIENCE_MS,
    describe: 'the head start of the large batch',
  });
  const before = await done();
  const besideMs = await finishingMs(ours, small.fileId);
  const largeLines = (await done()) - before;
  if ((await ours.client.read(largeId)).status !== 'in_progress') {
    throw new Error('the large batch ended before the small one: give it more lines');
  }
  return { aloneMs, besideMs, largeLines };
}

/** From the call that creates the batch until it is completed, its files included. */
async function finishingMs(ours: BatchStack, fileId: string): Promise<number> {
  const startedMs = performance.now();
  const batchId = await ours.client.create(fileId);
  await ours.untilStatus(batchId, ['completed'], PATIENCE_MS);
  return performance.now() - startedMs;
}

function summarise(rounds: readonly FairnessRound[]): Figure[] {
  return [
    figureOf(rounds, 'small batch alone', 's', ({ aloneMs }) => aloneMs / 1000),
    figureOf(rounds, 'small batch beside the large one', 's', ({ besideMs }) => besideMs / 1000),
    figureOf(
      rounds,
      'beside over alone',
      'ratio',
      ({ aloneMs, besideMs }) => besideMs / aloneMs,
      BARS.ratio,
    ),
  ];
}
