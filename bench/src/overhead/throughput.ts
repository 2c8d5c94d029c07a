import { performance } from 'node:perf_hooks';
import { startSimulator } from '@nightshift/local';
import { request } from 'undici';
import { countCpu, createCpuReader, type ProcessName } from '../measure/cpu.ts';
import { openLoad, type Accepted } from '../measure/load.ts';
import type { OverheadOptions } from './options.ts';
import { chatRequest, untilCompleted, type Side, type SideOptions } from './side.ts';

/** What one round of one side came to. */
export interface RoundResult {
  jobsPerSecond: number;
  /** Requests answered with a 202 per second, over the time until the last of them. */
  acceptedPerSecond: number;
  cpuMsPerJob: Partial<Record<ProcessName, number>>;
}

const LOOK_EVERY_MS = 10;

/** Starts a side with everything anew, warms it up, and measures from the first submit until all jobs are settled. */
export async function runRound(
  start: (options: SideOptions) => Promise<Side>,
  options: OverheadOptions,
): Promise<RoundResult> {
  await using stack = new AsyncDisposableStack();
  const provider = await startSimulator({});
  stack.defer(async () => void (await provider.child.stop()));
  const { concurrency, profileDir, warmupJobs, jobs } = options;
  const side = await start({ providerUrl: provider.url, concurrency, profileDir });
  stack.defer(async () => side.stop());
  const load = await openLoad({ ...side, connections: options.connections });
  stack.defer(() => load.close());

  await load.submitAll(requests(side, 'warm', warmupJobs));
  await untilCompleted(side, warmupJobs, LOOK_EVERY_MS);

  const bodies = requests(side, 'job', jobs);
  const pids = { ...side.pids, provider: provider.child.pid, bench: process.pid };
  const cpuSince = countCpu(pids, createCpuReader());
  const startedMs = performance.now();
  const accepted = await load.submitAll(bodies);
  const acceptedMs = performance.now();
  await untilCompleted(side, warmupJobs + jobs, LOOK_EVERY_MS);
  const settledMs = performance.now();
  const cpu = cpuSince();

  await verify(side, accepted);
  await verifyCalls(side, provider.url, warmupJobs + jobs);
  return {
    jobsPerSecond: (jobs * 1000) / (settledMs - startedMs),
    acceptedPerSecond: (jobs * 1000) / (acceptedMs - startedMs),
    cpuMsPerJob: Object.fromEntries([...cpu].map(([name, ms]) => [name, ms / jobs])),
  };
}

function requests(side: Side, kind: string, count: number): string[] {
  return Array.from({ length: count }, (_, at) => side.wrap(chatRequest(`${kind}-${at}`)));
}

/** Every job has the answer that was given to its own request: speed by dropping or mixing up would show here. */
async function verify(side: Side, accepted: readonly Accepted[]): Promise<void> {
  const failed = await side.failed();
  if (failed > 0) throw new Error(`${side.name}: ${failed} jobs did not complete`);
  const atOnce = 32;
  for (let from = 0; from < accepted.length; from += atOnce) {
    const page = accepted.slice(from, from + atOnce);
    const answers = await Promise.all(page.map(async ({ body }) => side.answerOf(body)));
    for (const [at, answer] of answers.entries()) {
      const marker = `[marker:job-${from + at}]`;
      if (!answer.includes(marker)) {
        throw new Error(
          `${side.name}: ${page[at]?.body} has the answer "${answer}", without ${marker}`,
        );
      }
    }
  }
}

async function verifyCalls(side: Side, providerUrl: string, expected: number): Promise<void> {
  const answer = await request(new URL('/_simulator/stats', providerUrl));
  const { calls } = (await answer.body.json()) as { calls: number };
  if (calls !== expected) {
    throw new Error(`${side.name}: the provider got ${calls} calls for ${expected} jobs`);
  }
}
