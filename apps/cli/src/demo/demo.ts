import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { costUsd, findPrice, publicPrices } from '@nightshift/shared/usage';
import { readDemoSettings, type DemoSettings, type Environment } from '../config.ts';
import { readSwitches, usageText } from '../flags.ts';
import { Interrupted, onStopRequest, surviveClosedOutput } from '../stack/signals.ts';
import { addresses, example } from '../welcome.ts';
import { findProblems } from './check.ts';
import { createClient, readLedger } from './client.ts';
import { money } from './figures.ts';
import { sampleJobs, smallSample } from './jobs.ts';
import type { SampleJob } from './kinds.ts';
import { createScreen, type Screen } from './progress.ts';
import { report } from './report.ts';
import { runSample, type RunResult } from './run.ts';
import { keyPrefix, startStage, type Stage } from './stage.ts';

const SWITCHES = { once: 'end after the results; without it the stack stays up until Ctrl-C' };
const ABOUT = 'A sample run on a stack of its own: Redis, API, two workers, a simulated provider.';

/** Few, so that jobs queue and the progress can be watched. */
const CONCURRENCY = 6;
const MOST_PROBLEMS = 20;
const DEADLINE_MS = { simulated: 45_000, real: 180_000 };

/** Resolves with the exit code: 0, 1 when something went wrong, 130 after Ctrl-C. */
export async function runDemo(environment: Environment, args: readonly string[]): Promise<number> {
  const switches = readSwitches(args, SWITCHES);
  if (switches.has('help')) {
    console.log(usageText('demo', ABOUT, SWITCHES));
    return 0;
  }
  const settings = readDemoSettings(environment);
  surviveClosedOutput();
  const screen = createScreen();
  const runId = `demo-${randomBytes(3).toString('hex')}`;
  const ending = new AbortController();
  const stage = startStage({
    settings,
    environment,
    runId,
    concurrency: CONCURRENCY,
    say: screen.say,
    onUnexpectedEnd: (message) => ending.abort(new Error(message)),
    signal: ending.signal,
  });
  const signals = onStopRequest((reason) => {
    screen.endProgress();
    screen.say('\nStopping. Once more to force.');
    ending.abort(reason);
  }, stage.forceStop);
  let code: number;
  try {
    code = await play(await stage.ready, settings, runId, screen, ending.signal);
    if (code === 0 && !switches.has('once')) await stay(await stage.ready, screen, ending.signal);
  } catch (error) {
    // A call that failed because the stack is ending is not what ended it.
    const reason = ending.signal.aborted ? (ending.signal.reason as unknown) : error;
    screen.endProgress();
    code = reason instanceof Interrupted ? reason.exitCode : 1;
    if (!(reason instanceof Interrupted)) {
      console.error(`nightshift demo: ${(reason as Error).message}`);
      const { folder } = await stage.ready.catch(() => ({ folder: null }));
      if (folder !== null) console.error(`  the logs are in ${join(folder, 'logs')}`);
    }
  }
  try {
    await stage.stop();
  } catch (error) {
    console.error(`nightshift demo: ${(error as Error).message}`);
    code ||= 1;
  }
  signals.dispose();
  return code;
}

async function play(
  stage: Stage,
  settings: DemoSettings,
  runId: string,
  screen: Screen,
  signal: AbortSignal,
): Promise<number> {
  signal.throwIfAborted();
  const { simulated } = settings.provider;
  const sample = simulated ? sampleJobs(runId) : smallSample(runId);
  const client = createClient(stage.apiUrl);
  screen.say(opening(stage, settings, sample));
  const result = await runSample({
    ...{ client, stage, sample, runId, screen, signal },
    concurrency: CONCURRENCY,
    deadlineMs: simulated ? DEADLINE_MS.simulated : DEADLINE_MS.real,
  });
  const ledger = stage.simulatorUrl === null ? null : await readLedger(stage.simulatorUrl);
  const events = new Map<string, string[]>();
  for (const { id } of result.jobs) events.set(id, await client.events(id));
  const again = await client.list(runId);
  const results = join(stage.folder, 'results.jsonl');
  writeResults(results, sample, result);
  screen.say(`\n${report({ sample, result, events, ledger })}\n`);
  screen.say(files(stage, results, runId));
  const problems = findProblems({ sample, result, again, events, ledger });
  if (problems.length === 0) {
    screen.say(`\n${verdict(simulated)}`);
    return 0;
  }
  console.error(`\nnightshift demo: ${problems.length} things went wrong:`);
  for (const problem of problems.slice(0, MOST_PROBLEMS)) console.error(`  ${problem}`);
  return 1;
}

async function stay(stage: Stage, screen: Screen, signal: AbortSignal): Promise<never> {
  screen.say(`
The stack stays up until Ctrl-C.

${addresses(stage.apiUrl)}

${example(stage.apiUrl, false)}`);
  return await new Promise((_resolve, reject) => {
    const end = (): void => reject(signal.reason as Error);
    if (signal.aborted) end();
    signal.addEventListener('abort', end, { once: true });
  });
}

function opening(stage: Stage, { provider }: DemoSettings, sample: readonly SampleJob[]): string {
  const spending = provider.simulated
    ? []
    : [`  cost        about ${money(estimate(sample))} will be spent`];
  return [
    `Nightshift demo: ${sample.length} jobs through a stack of its own`,
    '',
    `  provider    ${provider.describe}`,
    ...spending,
    `  redis       ${stage.redis.describe}`,
    `  api         ${stage.apiUrl}`,
    `  workers     2 processes, ${CONCURRENCY} calls at once each`,
    `  files       ${stage.folder}`,
    '',
  ].join('\n');
}

const verdict = (simulated: boolean): string =>
  `All as it should be: every job was settled exactly once${simulated ? ", with the provider's answer to its own request" : ''}.`;

/** At most, with four bytes to a token and every answer as long as it may be. */
function estimate(sample: readonly SampleJob[]): number {
  return sample.reduce((sum, { request: { body } }) => {
    const inputTokens = Math.ceil(JSON.stringify(body).length / 4);
    const outputTokens = Number(body['max_completion_tokens'] ?? 0);
    const usage = {
      ...{ inputTokens, outputTokens, cachedInputTokens: 0, reasoningTokens: 0 },
      totalTokens: inputTokens + outputTokens,
    };
    return sum + (costUsd(findPrice(publicPrices, body.model), usage) ?? 0);
  }, 0);
}

/** One line per job, in the order of the sample. */
function writeResults(path: string, sample: readonly SampleJob[], result: RunResult): void {
  const byId = new Map(result.jobs.map((job) => [job.id, job]));
  const lines = sample.map(({ key, request }) =>
    JSON.stringify({ key, request, job: byId.get(result.accepted.get(key)?.id ?? '') ?? null }),
  );
  writeFileSync(path, `${lines.join('\n')}\n`);
}

function files(stage: Stage, results: string, runId: string): string {
  const isShared = stage.redis.kind === 'url';
  return [
    'Files (they stay; remove the folder when you like)',
    `  data        ${stage.folder}`,
    `  results     ${results}`,
    ...stage.logs.map((path) => `  log         ${path}`),
    ...(isShared ? [`  in Redis    keys that begin with ${keyPrefix(runId)}`] : []),
  ].join('\n');
}
