import { mkdir } from 'node:fs/promises';
import { writeResults } from '../measure/results.ts';
import { missedOf, sideNames } from '../measure/rows.ts';
import { renderTable } from '../measure/table.ts';
import { startNightshiftSide } from './nightshift-side.ts';
import { parseOverheadOptions, type OverheadOptions } from './options.ts';
import { measurePickup } from './pickup.ts';
import { summarise, type Measurements } from './summary.ts';
import { runRound } from './throughput.ts';
import { startTutorialSide } from './tutorial-side.ts';

const starters = { nightshift: startNightshiftSide, tutorial: startTutorialSide } as const;

/** `bench overhead`; see METHOD.md. Resolves to the exit code. */
export async function runOverhead(args: readonly string[]): Promise<number> {
  const options = parseOverheadOptions(args);
  if (options.profileDir !== null) await mkdir(options.profileDir, { recursive: true });
  const measured = await measure(options);
  const rows = summarise(measured);
  const missed = missedOf(rows);
  console.log(`\n${title(options)}\n\n${renderTable(rows)}\n`);
  if (options.json) {
    console.log(`written to ${await writeResults('overhead', { options, rows, measured })}`);
  }
  if (missed.length > 0) console.log(`missed: ${missed.join(', ')}`);
  return options.check && missed.length > 0 ? 1 : 0;
}

async function measure(options: OverheadOptions): Promise<Measurements> {
  const measured: Measurements = {
    rounds: { nightshift: [], tutorial: [] },
    pickupsMs: { nightshift: [], tutorial: [] },
  };
  if (options.part !== 'pickup') {
    for (let round = 1; round <= options.rounds; round += 1) {
      for (const name of sideNames) {
        const result = await runRound(starters[name], options);
        measured.rounds[name].push(result);
        const cpu = Object.entries(result.cpuMsPerJob).map(
          ([who, ms]) => `${who} ${ms.toFixed(2)}`,
        );
        console.log(
          `round ${round} ${name.padEnd(10)} ${result.jobsPerSecond.toFixed(0)} jobs/s, CPU ms/job: ${cpu.join(', ')}`,
        );
      }
    }
  }
  if (options.part !== 'throughput') {
    for (const name of sideNames) {
      measured.pickupsMs[name] = await measurePickup(starters[name], options);
      console.log(`pickup ${name}: ${options.pickups} single jobs measured`);
    }
  }
  return measured;
}

function title({ jobs, connections, concurrency, rounds, pickups, part }: OverheadOptions): string {
  const parts = [
    `${jobs} jobs over ${connections} connections, concurrency ${concurrency}, ${rounds} rounds each: median (least–most)`,
    `${pickups} single jobs on an idle system: from the 202 to the provider's receipt`,
  ];
  if (part === 'throughput') return parts[0] as string;
  return part === 'pickup' ? (parts[1] as string) : parts.join('\n');
}
