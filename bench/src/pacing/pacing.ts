import { writeResults } from '../measure/results.ts';
import { barsOf, type Bar } from './bars.ts';
import { parsePacingOptions, type PacingOptions } from './options.ts';
import type { Regime } from './regimes.ts';
import { resultOf, type RunResult } from './result.ts';
import { runOnce } from './run.ts';
import { createTurns, inParallel } from './schedule.ts';
import type { SideName } from './sides/side.ts';
import { renderBars, renderTable } from './table.ts';

interface Planned {
  regime: Regime;
  side: SideName;
}

/** `bench pacing`; see METHOD.md. Resolves to the exit code. */
export async function runPacing(args: readonly string[]): Promise<number> {
  const options = parsePacingOptions(args);
  const plan = options.regimes.flatMap((regime) =>
    sidesIn(regime, options).map((side): Planned => ({ regime, side })),
  );
  console.log(`${plan.length} runs, ${estimate(plan, options)}`);
  const results = await measure(plan, options);
  const missed: string[] = [];
  const bars: Record<string, Bar[]> = {};
  for (const regime of options.regimes) {
    const own = results.filter((result) => result.regime === regime.name);
    const ownBars = barsOf(regime, own);
    bars[regime.name] = ownBars;
    console.log(`\n${regime.name}: ${regime.about}\n\n${renderTable(own)}\n`);
    if (ownBars.length > 0) console.log(`nightshift's bars\n${renderBars(ownBars)}\n`);
    missed.push(...ownBars.filter(({ met }) => !met).map(({ what }) => `${regime.name} ${what}`));
  }
  if (options.json) {
    const names = options.regimes.map(({ name }) => name);
    const written = { ...options, regimes: names };
    console.log(`written to ${await writeResults('pacing', { options: written, bars, results })}`);
  }
  if (missed.length > 0) console.log(`missed: ${missed.join(', ')}`);
  return options.check && missed.length > 0 ? 1 : 0;
}

function sidesIn(regime: Regime, { sides, fixed }: PacingOptions): readonly SideName[] {
  if (regime.slots === null) {
    // The script reads a file: nobody can hand it anything while it runs.
    return regime.interactiveShare > 0 ? sides.filter((side) => side !== 'cookbook') : sides;
  }
  const ours = sides.filter((side) => side === 'nightshift');
  return [...ours, ...fixed.map((inFlight): SideName => `fixed-${inFlight}`)];
}

/** Light ones together, then the heavy ones one by one: those want the machine. */
async function measure(plan: readonly Planned[], options: PacingOptions): Promise<RunResult[]> {
  const inTurn = createTurns();
  const run = async ({ regime, side }: Planned): Promise<RunResult> => {
    const result = resultOf(await runOnce(regime, side, options, inTurn));
    console.log(progressLine(result));
    return result;
  };
  const light = plan.filter(({ regime }) => !regime.heavy);
  const heavy = plan.filter(({ regime }) => regime.heavy);
  return [
    ...(await inParallel(light, options.parallel, run)),
    ...(await inParallel(heavy, 1, run)),
  ];
}

function progressLine({ regime, side, limits, engine, refusedShare, lost }: RunResult): string {
  const used =
    engine === null
      ? `utilisation ${limits?.utilisation.toFixed(3) ?? '–'}`
      : `${engine.callsPerSecond.toFixed(1)} calls/s`;
  return `${regime.padEnd(16)} ${side.padEnd(10)} ${used}, 429s ${(refusedShare * 100).toFixed(2)} %, lost ${lost}`;
}

function estimate(plan: readonly Planned[], { seconds, parallel }: PacingOptions): string {
  const heavy = plan.filter(({ regime }) => regime.heavy).length;
  const waves = Math.ceil((plan.length - heavy) / parallel) + heavy;
  return `about ${Math.ceil((waves * (seconds * 1.2 + 20)) / 60)} minutes`;
}
