import { mkdtemp, rm, stat } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { startSimulator } from '@nightshift/local';
import { conclude, figureOf, type Figure } from '../measure/figures.ts';
import { residentBytes, sample } from '../measure/memory.ts';
import { spreadOf } from '../measure/statistics.ts';
import { startBatchStack } from '../sides/batch-stack.ts';
import { writeInputFile } from '../validate/input-file.ts';
import { runPass } from '../validate/run-pass.ts';
import { parseBeginOptions, type BeginOptions } from './options.ts';

const BARS = { ratio: 3, riseMegabytes: 150 } as const;
const PATIENCE_MS = 300_000;
const SAMPLE_EVERY_MS = 50;
const ASCII_SHARE = 0.945;

interface BeginRound {
  bareMs: number;
  /** From the last byte of the upload on its way to the batch in progress. */
  begunMs: number;
  /** The part of it before the upload was answered. */
  uploadTailMs: number;
  riseBytes: { api: number; worker: number };
}

/** `bench begin`; see METHOD.md. Resolves to the exit code. */
export async function runBegin(args: readonly string[]): Promise<number> {
  const options = parseBeginOptions(args);
  const { lines, megabytes } = options;
  const folder = await mkdtemp(join(tmpdir(), 'nightshift-bench-'));
  try {
    const path = join(folder, 'input.jsonl');
    // What is asked for is characters; some are escaped, some are two bytes, and an upload is at most 200 MB long.
    const bytes = megabytes * 1_000_000 * ASCII_SHARE;
    await writeInputFile(path, { lines, bytes, content: 'text' });
    const { size } = await stat(path);
    const rounds: BeginRound[] = [];
    for (let round = 1; round <= options.rounds; round += 1) {
      // The run costs most of the time and shows the same each time: once is enough.
      rounds.push(await runRound(path, options, round === options.rounds));
      const { bareMs, begunMs } = rounds.at(-1) as BeginRound;
      console.log(
        `round ${round}: bare ${bareMs.toFixed(0)} ms, begun after ${begunMs.toFixed(0)} ms; load ${loadavg()[0]?.toFixed(1)}`,
      );
    }
    return await conclude('begin', summarise(rounds), {
      title: `${lines} lines, ${(size / 1e6).toFixed(0)} MB, ${options.rounds} rounds: median (least–most)`,
      options,
      more: { rounds },
    });
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function runRound(
  path: string,
  { lines }: BeginOptions,
  toItsEnd: boolean,
): Promise<BeginRound> {
  const bare = await runPass('bare', path, '/v1/chat/completions', lines);
  await using stack = new AsyncDisposableStack();
  const provider = await startSimulator({});
  stack.defer(async () => void (await provider.child.stop()));
  const ours = await startBatchStack({ providerUrl: provider.url, concurrency: 64 });
  stack.defer(async () => ours.stop());

  const { api, worker } = ours.pids;
  const memory = [api, worker].map((pid) => sample(() => residentBytes(pid), SAMPLE_EVERY_MS));
  const { fileId, sentAt, answeredAt } = await ours.client.upload(path);
  const batchId = await ours.client.create(fileId);
  await ours.untilStatus(batchId, ['in_progress'], PATIENCE_MS);
  const begunAt = performance.now();
  if (toItsEnd) await ours.untilStatus(batchId, ['completed'], PATIENCE_MS);
  const [apiRise = Number.NaN, workerRise = Number.NaN] = await Promise.all(
    memory.map(async ({ values, stop }) => {
      await stop();
      return Math.max(...values) - (values[0] ?? Number.NaN);
    }),
  );
  return {
    bareMs: bare.ms,
    begunMs: begunAt - sentAt,
    uploadTailMs: answeredAt - sentAt,
    riseBytes: { api: apiRise, worker: workerRise },
  };
}

function summarise(rounds: readonly BeginRound[]): Figure[] {
  // The most of all rounds counts: only the last one ran to its end.
  const rise = (process: 'api' | 'worker'): Figure => {
    const value = Math.max(...rounds.map((round) => round.riseBytes[process])) / 1e6;
    const what = `${process}'s memory rises by`;
    return { what, unit: 'MB', value: spreadOf([value]), most: BARS.riseMegabytes };
  };
  return [
    figureOf(rounds, 'read and JSON.parse', 'ms', ({ bareMs }) => bareMs),
    figureOf(rounds, 'last byte → in_progress', 'ms', ({ begunMs }) => begunMs),
    figureOf(
      rounds,
      'of this until the upload is answered',
      'ms',
      ({ uploadTailMs }) => uploadTailMs,
    ),
    figureOf(
      rounds,
      'begun over bare',
      'ratio',
      ({ begunMs, bareMs }) => begunMs / bareMs,
      BARS.ratio,
    ),
    rise('api'),
    rise('worker'),
  ];
}
