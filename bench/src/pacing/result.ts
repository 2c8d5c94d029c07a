import type { RedisCommands } from '../measure/redis-commands.ts';
import { meansByLabel, sumOf, type Sample } from '../measure/prometheus.ts';
import { quantile } from '../measure/statistics.ts';
import {
  engineFigures,
  limitFigures,
  waitsOf,
  type EngineFigures,
  type LimitFigures,
  type Waits,
} from './figures.ts';
import type { LimitModel } from './limit-model.ts';
import type { ChargedCall, ProviderStats } from './provider.ts';
import type { Regime } from './regimes.ts';
import type { Role, SideName } from './sides/side.ts';
import { MODEL } from './workload.ts';

/** What one run left behind. */
export interface RawRun {
  regime: Regime;
  side: SideName;
  jobs: number;
  completed: number;
  lost: number;
  stats: ProviderStats;
  /** The first call at the provider, refused or not. */
  startedMs: number;
  /** With the changes when they really came. */
  limits: LimitModel;
  /** When it was broken off with jobs left, on the provider's clock; null when everything was settled. */
  brokenOffMs: number | null;
  calls: readonly ChargedCall[];
  admittedBySecond: readonly number[];
  accepted: ReadonlyMap<string, number>;
  idle: Waits | null;
  cpuMs: Partial<Record<Role | 'provider', number>>;
  redisCommands: RedisCommands | null;
  /** Our workers' own. */
  samples: readonly Sample[];
}

/** What it says. */
export interface RunResult {
  regime: string;
  side: SideName;
  jobs: number;
  lost: number;
  /** Neither completed nor given up when patience ended. */
  unfinished: number;
  /** At the provider, refused ones included. */
  calls: number;
  refusedShare: number;
  limits: LimitFigures | null;
  engine: EngineFigures | null;
  callsPerSecondP50: number;
  mostInFlight: number;
  interactive: Waits | null;
  idle: Waits | null;
  /** Per call that was let in. */
  redisCommands: number | null;
  redisScripts: number | null;
  pacerRoundTrips: number | null;
  cpuMs: Partial<Record<Role | 'provider', number>>;
  /** Tokens as the provider counts them over what our workers estimate before they correct it, by model. */
  estimateRatio: Readonly<Record<string, number>>;
  /** Mean error of the corrected estimates, as a share, by model. */
  estimateError: Readonly<Record<string, number>>;
}

export function resultOf(run: RawRun): RunResult {
  const { calls, stats, regime, redisCommands } = run;
  const per = (total: number | null | undefined): number | null =>
    total == null || calls.length === 0 ? null : total / calls.length;
  const anyCalls = calls.length > 0;
  const waitingMs = stats.engines[MODEL]?.waiting_ms ?? 0;
  return {
    regime: regime.name,
    side: run.side,
    jobs: run.jobs,
    lost: run.lost,
    unfinished: Math.max(0, run.jobs - run.completed - run.lost),
    calls: stats.calls,
    refusedShare: stats.rate_limited / Math.max(1, stats.calls),
    limits:
      anyCalls && regime.slots === null
        ? limitFigures(run.limits, calls, run.startedMs, run.brokenOffMs)
        : null,
    engine:
      anyCalls && regime.slots !== null
        ? engineFigures(calls, run.startedMs, waitingMs, run.brokenOffMs)
        : null,
    callsPerSecondP50: run.admittedBySecond.length > 0 ? quantile(run.admittedBySecond, 0.5) : 0,
    mostInFlight: stats.max_in_flight,
    interactive: waitsOf(run.accepted, calls),
    idle: run.idle,
    redisCommands: per(redisCommands?.all),
    redisScripts: per(redisCommands?.scripts),
    pacerRoundTrips: per(sumOf(run.samples, 'nightshift_pacer_round_trips_total')),
    cpuMs: Object.fromEntries(Object.entries(run.cpuMs).map(([role, ms]) => [role, per(ms) ?? 0])),
    estimateRatio: meansByLabel(run.samples, 'nightshift_token_estimate_ratio', 'model'),
    estimateError: meansByLabel(run.samples, 'nightshift_token_estimate_error', 'model'),
  };
}
