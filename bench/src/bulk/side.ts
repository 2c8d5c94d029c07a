import type { ProcessIds } from '../measure/cpu.ts';
import type { SideName } from '../measure/rows.ts';

/** One worker and one Redis of their own, up and idle, and what is needed to hand a file of requests in. */
export interface BulkSide {
  readonly name: SideName;
  readonly pids: ProcessIds;
  /** Hands the requests of an input file in and waits until each has its durable result. */
  run(path: string, lines: number): Promise<void>;
  /** What the provider answered in the last run, by custom id. */
  answers(): Promise<Map<string, string>>;
  stop(): Promise<void>;
}

export interface BulkSideOptions {
  /** Base URL of the provider, with `/v1`. */
  providerUrl: string;
  /** Provider calls in flight at once in the worker. */
  concurrency: number;
  /** Where the processes leave V8 CPU profiles when they end, or null. */
  profileDir: string | null;
}

/** What a line of an input file holds. */
export interface InputFields {
  custom_id: string;
  body: object;
}

/** How often each side's Redis is asked whether all is done, with one O(1) command. */
export const LOOK_EVERY_MS = 10;
/** Longer than this without an end, a run is broken off. */
export const PATIENCE_MS = 300_000;
