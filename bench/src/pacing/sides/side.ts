import type { Regime } from '../regimes.ts';
import type { BenchJob } from '../workload.ts';

/** Who paces: we, the three ways of `METHOD.md`, or plain workers with so many calls in flight in all. */
export type SideName = 'nightshift' | 'tutorial' | 'limiter' | 'cookbook' | `fixed-${number}`;

export type Role = 'api' | 'workers' | 'redis';

/** One fleet with everything of its own, except the provider. */
export interface PacingSide {
  readonly name: SideName;
  /** Before the workers start: everything that is to be called. */
  preload(jobs: readonly BenchJob[]): Promise<void>;
  startWorkers(): Promise<void>;
  /**
   * Hands in one interactive job while the bulk runs; resolves to when it was accepted, in milliseconds since the
   * epoch. Null where there is no such thing.
   */
  submit: ((job: BenchJob) => Promise<number>) | null;
  progress(): Promise<Progress>;
  /** Process ids by role. */
  pids(): Readonly<Partial<Record<Role, readonly number[]>>>;
  /** Null without a Redis. */
  readonly redisUrl: string | null;
  /** Of the workers, where they have any. */
  metricsUrls(): readonly string[];
  /** Until an idle system really is one: a limiter's window has to pass. */
  readonly restMs: number;
  stop(): Promise<void>;
}

interface Progress {
  completed: number;
  /** Given up. */
  lost: number;
  /** Redis commands that asking took. */
  commands: number;
}

export interface PacingSideOptions {
  providerUrl: string;
  regime: Regime;
  workers: number;
  /** Mean charge of the jobs to come: what somebody who sets a limit by hand knows of his jobs. */
  meanCharge: number;
}
