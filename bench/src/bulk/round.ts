import { performance } from 'node:perf_hooks';
import { startSimulator } from '@nightshift/local';
import { request } from 'undici';
import { countCpu, createCpuReader, type ProcessName } from '../measure/cpu.ts';
import type { BulkOptions } from './options.ts';
import type { BulkSide, BulkSideOptions } from './side.ts';

/** What one round of one side came to. */
export interface BulkRound {
  linesPerSecond: number;
  cpuMsPerLine: Partial<Record<ProcessName, number>>;
}

/** The input files of a run, and how many requests each has. */
export interface InputFiles {
  warmup: string;
  measured: string;
}

/** Starts a side with everything anew, warms it up, and measures one file from handing it in to its last durable result. */
export async function runRound(
  start: (options: BulkSideOptions) => Promise<BulkSide>,
  files: InputFiles,
  options: BulkOptions,
): Promise<BulkRound> {
  await using stack = new AsyncDisposableStack();
  const provider = await startSimulator({});
  stack.defer(async () => void (await provider.child.stop()));
  const { lines, warmupLines, concurrency, profileDir } = options;
  const side = await start({ providerUrl: provider.url, concurrency, profileDir });
  stack.defer(async () => side.stop());
  await side.run(files.warmup, warmupLines);

  const pids = { ...side.pids, provider: provider.child.pid, bench: process.pid };
  const cpuSince = countCpu(pids, createCpuReader());
  const startedMs = performance.now();
  await side.run(files.measured, lines);
  const tookMs = performance.now() - startedMs;
  const cpu = cpuSince();

  await verify(side, lines);
  await verifyCalls(side, provider.url, warmupLines + lines);
  return {
    linesPerSecond: (lines * 1000) / tookMs,
    cpuMsPerLine: Object.fromEntries([...cpu].map(([name, ms]) => [name, ms / lines])),
  };
}

/** The custom id of a measured line, which its request carries as its marker. */
export function customId(line: number): string {
  return `line-${line}`;
}

/** Every line has the answer that was given to its own request: speed by dropping or mixing up would show here. */
async function verify(side: BulkSide, lines: number): Promise<void> {
  const answers = await side.answers();
  if (answers.size !== lines) {
    throw new Error(`${side.name}: ${answers.size} results for ${lines} lines`);
  }
  for (let line = 0; line < lines; line += 1) {
    const answer = answers.get(customId(line));
    const marker = `[marker:${customId(line)}]`;
    if (answer?.includes(marker) !== true) {
      throw new Error(`${side.name}: line ${line} has the answer "${answer}", without ${marker}`);
    }
  }
}

async function verifyCalls(side: BulkSide, providerUrl: string, expected: number): Promise<void> {
  const answer = await request(new URL('/_simulator/stats', providerUrl));
  const { calls } = (await answer.body.json()) as { calls: number };
  if (calls !== expected) {
    throw new Error(`${side.name}: the provider got ${calls} calls for ${expected} lines`);
  }
}
