import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { startSimulator } from '@nightshift/local';
import { conclude, type Figure } from '../measure/figures.ts';
import { residentBytes, sample } from '../measure/memory.ts';
import { spreadOf } from '../measure/statistics.ts';
import { startBatchStack } from '../sides/batch-stack.ts';
import { writeInputFile } from '../validate/input-file.ts';
import { parseMemoryOptions, type MemoryOptions } from './options.ts';

const BARS = { redisMegabytes: 64, workerMegabytes: 64 } as const;
const SAMPLE_EVERY_MS = 100;
const PATIENCE_MS = 3_600_000;
/** Short lines: how many there are is the subject. */
const LINE_BYTES = 400;

interface MemoryRun {
  linesPerSecond: number;
  /** The most that Redis held at any moment of the batch. */
  redisBytes: number;
  /** The worker's resident memory over tenths of the run: the second, when all is warm, and the last. */
  workerBytes: { second: number; last: number; most: number };
  apiMostBytes: number;
}

/** `bench memory`; see METHOD.md. Resolves to the exit code. */
export async function runMemory(args: readonly string[]): Promise<number> {
  const options = parseMemoryOptions(args);
  const folder = await mkdtemp(join(tmpdir(), 'nightshift-bench-'));
  try {
    const runs = {
      small: await runFile(folder, options.small),
      large: await runFile(folder, options.large),
    };
    return await conclude('memory', summarise(runs, options), { options, more: { runs } });
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function runFile(folder: string, lines: number): Promise<MemoryRun> {
  const path = join(folder, `${lines}.jsonl`);
  const bytes = lines * LINE_BYTES;
  await writeInputFile(path, { lines, bytes, content: 'text' });
  const configuration = join(folder, 'nightshift.json');
  const limits = { batch_requests: lines, upload_bytes: 2 * bytes };
  await writeFile(configuration, JSON.stringify({ limits }));

  await using stack = new AsyncDisposableStack();
  const provider = await startSimulator({});
  stack.defer(async () => void (await provider.child.stop()));
  const ours = await startBatchStack({
    providerUrl: provider.url,
    concurrency: 64,
    env: { NIGHTSHIFT_CONFIG: configuration },
  });
  stack.defer(async () => ours.stop());
  const { reader } = ours.own;
  const redis = sample(async () => {
    const info = await reader.info('memory');
    return Number(/^used_memory:(\d+)/m.exec(info)?.[1]);
  }, SAMPLE_EVERY_MS);
  const api = sample(() => residentBytes(ours.pids.api), SAMPLE_EVERY_MS);
  const { fileId } = await ours.client.upload(path);
  const batchId = await ours.client.create(fileId);
  await ours.untilStatus(batchId, ['in_progress'], PATIENCE_MS);
  const startedMs = performance.now();
  const worker = sample(() => residentBytes(ours.pids.worker), SAMPLE_EVERY_MS);
  await ours.untilStatus(batchId, ['completed'], PATIENCE_MS);
  const tookMs = performance.now() - startedMs;
  await Promise.all([redis, api, worker].map(async ({ stop }) => stop()));
  const run: MemoryRun = {
    linesPerSecond: (lines * 1000) / tookMs,
    redisBytes: most(redis.values),
    workerBytes: {
      second: spreadOf(tenth(worker.values, 1)).median,
      last: spreadOf(tenth(worker.values, 9)).median,
      most: most(worker.values),
    },
    apiMostBytes: most(api.values),
  };
  console.log(
    `${lines} lines: ${run.linesPerSecond.toFixed(0)} lines/s, Redis at most ${megabytes(run.redisBytes)} MB, worker ${megabytes(run.workerBytes.second)} → ${megabytes(run.workerBytes.last)} MB, API at most ${megabytes(run.apiMostBytes)} MB`,
  );
  return run;
}

function tenth(values: readonly number[], index: number): readonly number[] {
  const size = values.length / 10;
  return values.slice(Math.floor(index * size), Math.ceil((index + 1) * size));
}

function most(values: readonly number[]): number {
  return values.reduce((highest, value) => Math.max(highest, value), 0);
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(0);
}

function summarise(runs: Record<'small' | 'large', MemoryRun>, options: MemoryOptions): Figure[] {
  const figure = (what: string, bytes: number, bar: number | null): Figure => ({
    what,
    unit: 'MB',
    value: spreadOf([bytes / 1e6]),
    most: bar,
  });
  const { small, large } = runs;
  const { second, last } = large.workerBytes;
  return [
    figure(`Redis with ${options.small} lines`, small.redisBytes, null),
    figure(`Redis with ${options.large} lines`, large.redisBytes, null),
    figure('the difference', large.redisBytes - small.redisBytes, BARS.redisMegabytes),
    figure('worker, second tenth of the run', second, null),
    figure('worker, last tenth of the run', last, null),
    figure('the difference in the worker', last - second, BARS.workerMegabytes),
  ];
}
