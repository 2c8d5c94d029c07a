import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeResults } from '../measure/results.ts';
import {
  cpuRows,
  missedOf,
  pairedRow,
  sideNames,
  withBar,
  type Row,
  type Rounds,
} from '../measure/rows.ts';
import { renderTable } from '../measure/table.ts';
import { chatRequest } from '../overhead/side.ts';
import { startNightshiftSide } from './nightshift-side.ts';
import { parseBulkOptions, type BulkOptions } from './options.ts';
import { customId, runRound, type BulkRound, type InputFiles } from './round.ts';
import { startTutorialSide } from './tutorial-side.ts';

const BARS = { throughputRatio: 1.5, workerCpuMs: 0.5 } as const;

const starters = { nightshift: startNightshiftSide, tutorial: startTutorialSide } as const;

/** `bench bulk`; see METHOD.md. Resolves to the exit code. */
export async function runBulk(args: readonly string[]): Promise<number> {
  const options = parseBulkOptions(args);
  if (options.profileDir !== null) await mkdir(options.profileDir, { recursive: true });
  const folder = await mkdtemp(join(tmpdir(), 'nightshift-bench-'));
  try {
    const rounds = await measure(await writeFiles(folder, options), options);
    const rows = summarise(rounds);
    const missed = missedOf(rows);
    const { lines, concurrency } = options;
    console.log(
      `\n${lines} lines, concurrency ${concurrency}, ${options.rounds} rounds each: median (least–most)\n\n${renderTable(rows)}\n`,
    );
    if (options.json) {
      console.log(`written to ${await writeResults('bulk', { options, rows, rounds })}`);
    }
    if (missed.length > 0) console.log(`missed: ${missed.join(', ')}`);
    return options.check && missed.length > 0 ? 1 : 0;
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function measure(files: InputFiles, options: BulkOptions): Promise<Rounds<BulkRound>> {
  const rounds: Rounds<BulkRound> = { nightshift: [], tutorial: [] };
  for (let round = 1; round <= options.rounds; round += 1) {
    for (const name of sideNames) {
      const result = await runRound(starters[name], files, options);
      rounds[name].push(result);
      const cpu = Object.entries(result.cpuMsPerLine).map(([who, ms]) => `${who} ${ms.toFixed(3)}`);
      console.log(
        `round ${round} ${name.padEnd(10)} ${result.linesPerSecond.toFixed(0)} lines/s, CPU ms/line: ${cpu.join(', ')}; load ${loadavg()[0]?.toFixed(1)}`,
      );
    }
  }
  return rounds;
}

function summarise(rounds: Rounds<BulkRound>): Row[] {
  const throughput = pairedRow(rounds, 'results', 'lines/s', (round) => round.linesPerSecond);
  const cpu = cpuRows(rounds, 'line', (round) => round.cpuMsPerLine);
  return [
    withBar(throughput, 'ratio', 'at least', BARS.throughputRatio),
    ...cpu.map((row) =>
      row.what === 'CPU/line worker'
        ? withBar(row, 'nightshift', 'at most', BARS.workerCpuMs)
        : row,
    ),
  ];
}

async function writeFiles(folder: string, options: BulkOptions): Promise<InputFiles> {
  const write = async (name: string, ids: readonly string[]): Promise<string> => {
    const path = join(folder, `${name}.jsonl`);
    const lines = ids.map((id) =>
      JSON.stringify({
        custom_id: id,
        method: 'POST',
        url: '/v1/chat/completions',
        body: chatRequest(id),
      }),
    );
    await writeFile(path, `${lines.join('\n')}\n`);
    return path;
  };
  const { lines, warmupLines } = options;
  return {
    warmup: await write(
      'warmup',
      Array.from({ length: warmupLines }, (_, line) => `warm-${line}`),
    ),
    measured: await write(
      'measured',
      Array.from({ length: lines }, (_, line) => customId(line)),
    ),
  };
}
