import type { Priority } from '../job/index.ts';

/** Interval of a worker's heartbeats. */
export const BEAT_EVERY_MS = 5000;
/** Two heartbeats and a margin: a frozen worker is reported within 15 s. */
const SILENT_AFTER_MS = 12_000;
/** A worker without a heartbeat for this long leaves the list. */
export const FORGOTTEN_AFTER_MS = 600_000;

/**
 * - `alive`: sent a heartbeat recently. → `stopping` on SIGTERM. → `silent` when it is frozen, dead or cut off from Redis.
 * - `silent` → `alive` with its next heartbeat. Leaves the list after ten minutes.
 * - `stopping`: takes no more jobs. Leaves the list when it has drained. If it crashes first, it becomes `silent`.
 */
export const workerStates = ['alive', 'silent', 'stopping'] as const;
export type WorkerState = (typeof workerStates)[number];

/** What a worker reports with each heartbeat. */
export interface WorkerBeat {
  id: string;
  host: string;
  pid: number;
  version: string;
  state: 'alive' | 'stopping';
  slots: number;
  slotsUsed: number;
  /** How many lanes it serves. */
  lanes: number;
}

/** A worker process as the fleet sees it. Instants are unix milliseconds on Redis' clock. */
export interface FleetWorker extends Omit<WorkerBeat, 'state'> {
  state: WorkerState;
  startedAtMs: number;
  lastSeenAtMs: number;
}

/** All workers with a heartbeat in the last ten minutes, at one instant on Redis' clock. */
export interface Fleet {
  nowMs: number;
  workers: readonly FleetWorker[];
}

export function workerState(
  said: WorkerBeat['state'],
  lastSeenAtMs: number,
  nowMs: number,
): WorkerState {
  return nowMs - lastSeenAtMs > SILENT_AFTER_MS ? 'silent' : said;
}

export function aliveWorkers({ workers }: Fleet): FleetWorker[] {
  return workers.filter(({ state }) => state === 'alive');
}

/** One slot in twenty is kept from bulk, where there are twenty, so that an interactive job finds one at any time. */
const INTERACTIVE_SHARE = 0.05;

/** How many of a worker's slots jobs of a priority may take. */
export function slotsFor(priority: Priority, slots: number): number {
  return priority === 'interactive' ? slots : slots - Math.floor(slots * INTERACTIVE_SHARE);
}

/** True when at least one worker is alive and none has a free slot for a job of this priority. */
export function isFleetBusy(fleet: Fleet, priority: Priority): boolean {
  const alive = aliveWorkers(fleet);
  return (
    alive.length > 0 &&
    alive.every(({ slots, slotsUsed }) => slotsUsed >= slotsFor(priority, slots))
  );
}
