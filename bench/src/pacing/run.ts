import { setTimeout as sleep } from 'node:timers/promises';
import { createCpuReader } from '../measure/cpu.ts';
import { readSamples } from '../measure/prometheus.ts';
import { countRedisCommands } from '../measure/redis-commands.ts';
import { startInteractive, waitOnIdle } from './interactive.ts';
import { startProvider, type Provider } from './provider.ts';
import type { RawRun } from './result.ts';
import { limitsIn, type Regime } from './regimes.ts';
import { startSide } from './sides/start.ts';
import type { PacingSide, Role, SideName } from './sides/side.ts';
import { createBulk } from './workload.ts';

export interface RunOptions {
  seconds: number;
  workers: number;
  seed: number;
}

/** One at a time among runs that share the machine: what starts processes disturbs what is being measured. */
export type InTurn = <Result>(work: () => Promise<Result>) => Promise<Result>;

const LOOK_EVERY_MS = 1000;
/** A side that has not finished by then has not finished. */
const PATIENCE = 2;
const PATIENCE_MORE_S = 60;
const FIRST_CALL_PATIENCE_MS = 60_000;

/** One side in one regime, everything anew. Time counts from the first call that reaches the provider. */
export async function runOnce(
  regime: Regime,
  name: SideName,
  options: RunOptions,
  inTurn: InTurn,
): Promise<RawRun> {
  await using stack = new AsyncDisposableStack();
  const jobs = createBulk(regime, options.seconds, options.seed);
  const { provider, side } = await inTurn(async () => {
    const provider = await startProvider(regime, options.seed);
    stack.defer(async () => provider.stop());
    const meanCharge = jobs.reduce((sum, job) => sum + job.chargedTokens, 0) / jobs.length;
    const { workers } = options;
    const side = await startSide(name, { providerUrl: provider.url, regime, workers, meanCharge });
    stack.defer(async () => side.stop());
    await side.preload(jobs);
    return { provider, side };
  });
  const redis = side.redisUrl === null ? null : await countRedisCommands(side.redisUrl);
  const cpu = await inTurn(async () => {
    await side.startWorkers();
    return countCpuByRole(side, provider);
  });
  const startedMs = await firstCall(provider);
  const changes = followChanges(regime, options.seconds, provider, startedMs);
  const offsetMs = await provider.clockOffsetMs();
  const interactive = startInteractive({ regime, ...options, side, startedMs, offsetMs });
  const deadlineMs = performance.now() + (options.seconds * PATIENCE + PATIENCE_MORE_S) * 1000;
  const end = await untilDone(side, jobs.length + interactive.expected, deadlineMs);
  const cpuMs = cpu();
  const redisCommands = redis === null ? null : await redis();
  if (redisCommands !== null) redisCommands.all -= end.looks;
  const samples = await readSamples(side.metricsUrls());
  const stats = await provider.stats();
  const accepted = await interactive.stop();
  const admittedBySecond = await provider.admittedBySecond();
  const calls = await provider.charged();
  const idle = regime.interactiveShare > 0 ? await waitOnIdle(regime, side, provider) : null;
  return {
    regime,
    side: name,
    jobs: jobs.length + accepted.size,
    completed: end.completed,
    lost: end.lost,
    stats,
    startedMs,
    brokenOffMs: end.brokenOff ? stats.at_ms : null,
    limits: { ...limitsIn(regime, options.seconds), changes: await changes.stop() },
    calls,
    admittedBySecond,
    accepted,
    idle,
    cpuMs,
    redisCommands,
    samples: samples.filter(({ name: metric }) => metric.startsWith('nightshift_')),
  };
}

async function firstCall(provider: Provider): Promise<number> {
  const deadlineMs = performance.now() + FIRST_CALL_PATIENCE_MS;
  for (;;) {
    const { first_call_at_ms: firstMs } = await provider.stats();
    if (firstMs !== null) return firstMs;
    if (performance.now() > deadlineMs) {
      throw new Error(`nothing reached the provider within ${FIRST_CALL_PATIENCE_MS / 1000} s`);
    }
    await sleep(20);
  }
}

/** Changes the limits when it is time; says when that really was, from the first call on. */
function followChanges(
  regime: Regime,
  seconds: number,
  provider: Provider,
  startedMs: number,
): { stop: () => Promise<{ atMs: number; factor: number }[]> } {
  const stopping = new AbortController();
  const done: { atMs: number; factor: number }[] = [];
  const follow = async (): Promise<void> => {
    for (const { atMs, factor } of limitsIn(regime, seconds).changes) {
      const { at_ms: nowMs } = await provider.stats();
      await sleep(startedMs + atMs - nowMs, undefined, { signal: stopping.signal });
      await provider.scaleLimits(factor);
      done.push({ atMs: (await provider.stats()).at_ms - startedMs, factor });
    }
  };
  const following = follow().catch((error: unknown) => {
    if (!stopping.signal.aborted) throw error;
  });
  return {
    stop: async () => {
      stopping.abort();
      await following;
      return done;
    },
  };
}

async function untilDone(
  side: PacingSide,
  count: number,
  deadlineMs: number,
): Promise<{ completed: number; lost: number; looks: number; brokenOff: boolean }> {
  for (let looks = 0; ;) {
    const { completed, lost, commands } = await side.progress();
    looks += commands;
    const settled = completed + lost >= count;
    if (settled || performance.now() > deadlineMs) {
      return { completed, lost, looks, brokenOff: !settled };
    }
    await sleep(LOOK_EVERY_MS);
  }
}

/** CPU by role over all its processes, the provider's too. */
function countCpuByRole(
  side: PacingSide,
  provider: Provider,
): () => Partial<Record<Role | 'provider', number>> {
  const read = createCpuReader();
  const pids = Object.entries({ ...side.pids(), provider: [provider.pid] });
  const total = (): Map<string, number> =>
    new Map(pids.map(([role, of]) => [role, of.reduce((sum, pid) => sum + read(pid), 0)]));
  const before = total();
  return () =>
    Object.fromEntries([...total()].map(([role, ms]) => [role, ms - (before.get(role) ?? 0)]));
}
