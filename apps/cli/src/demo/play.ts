import type { DemoSettings } from '../config.ts';
import { createApi } from './api.ts';
import { findProblems } from './check.ts';
import { readLedger } from './ledger.ts';
import { spendNight } from './night.ts';
import { opening, verdict, whereFilesAre } from './opening.ts';
import { report } from './report.ts';
import { sampleLines, smallSample } from './sample/sample.ts';
import type { Screen } from './screen.ts';
import type { Stage } from './stage.ts';

/** Calls at once in each worker. Few, so that lines queue and the progress can be watched. */
export const CONCURRENCY = 16;
const MOST_PROBLEMS = 20;
const DEADLINE_MS = { simulated: 180_000, real: 240_000 };

export interface PlayOptions {
  stage: Stage;
  settings: DemoSettings;
  runId: string;
  screen: Screen;
  signal: AbortSignal;
}

/** The whole demo on a stage that is set: what is about to happen, the night, what it came to. Resolves with 0 or 1. */
export async function play(options: PlayOptions): Promise<number> {
  const { stage, settings, runId, screen, signal } = options;
  signal.throwIfAborted();
  const { simulated } = settings.provider;
  const lines = simulated ? sampleLines() : smallSample();
  screen.say(opening({ stage, settings, lines, concurrency: CONCURRENCY }));
  const night = await spendNight({
    ...{ api: createApi(stage.apiUrl, signal), stage, lines, runId, screen, signal },
    concurrency: CONCURRENCY,
    deadlineMs: simulated ? DEADLINE_MS.simulated : DEADLINE_MS.real,
  });
  const ledger = stage.simulatorUrl === null ? null : await readLedger(stage.simulatorUrl);
  screen.say(`\n${report({ lines, night, ledger })}\n`);
  screen.say(whereFilesAre(stage, runId));
  const death = night.takeover?.death ?? null;
  const problems = findProblems({ ...night, lines, ledger, death });
  if (problems.length === 0) {
    screen.say(`\n${verdict(simulated)}`);
    return 0;
  }
  console.error(`\nnightshift demo: ${problems.length} things went wrong:`);
  for (const problem of problems.slice(0, MOST_PROBLEMS)) console.error(`  ${problem}`);
  return 1;
}
