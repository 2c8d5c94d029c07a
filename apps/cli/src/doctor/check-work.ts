import { isBatchSettled } from '@nightshift/shared/batch';
import { duration } from '../bulk/format.ts';
import type { ListedBatch, WorkerView } from '../bulk/operator-views.ts';
import { note, ok, wrong, type Cause, type Check } from './check.ts';

/** A lane as the API returns it, or as read from Redis. */
export interface LaneLook {
  id: string;
  provider: string;
  model: string;
  state: 'open' | 'cooling' | 'paused' | 'unreachable';
  reason: string | null;
  /** Why it stands still, what helps, and when it is tried next, in the words of the API. */
  message: string | null;
}

const MOST_SHOWN = 20;
const START_ONE = 'Start one: nightshift worker.';

/** @param workers null if the API does not list them */
export function judgeWorkers(workers: readonly WorkerView[] | null, nowMs: number): Check {
  if (workers === null) {
    return note(
      'workers',
      'unknown: this API is older than the command and does not list its workers',
    );
  }
  const nameOf = ({ id, host, pid, last_seen_at: seen }: WorkerView): string =>
    `${id} on ${host} (process ${pid}${seen === null ? '' : `, last seen ${duration(nowMs - seen * 1000)} ago`})`;
  const alive = workers.filter(({ state }) => state === 'alive');
  const silent = workers.filter(({ state }) => state === 'silent').map(nameOf);
  if (alive.length === 0) {
    const others = silent.length === 0 ? '' : `; silent: ${silent.join(', ')}`;
    return wrong(
      'no_worker',
      'workers',
      `No worker is alive, so nothing is called${others}`,
      START_ONE,
    );
  }
  const slots = alive.reduce((sum, worker) => sum + worker.slots, 0);
  const used = alive.reduce((sum, worker) => sum + worker.slots_used, 0);
  const figures = `${alive.length} alive, ${used} of ${slots} slots in use`;
  if (silent.length === 0) return ok('workers', figures);
  return wrong(
    'worker_silent',
    'workers',
    `${silent.length === 1 ? 'A worker is' : `${silent.length} workers are`} silent: ${silent.join(', ')}; ${figures}`,
    'Check whether the process is frozen or its machine is cut off, and restart it. Other workers take over its jobs.',
  );
}

export function judgeLanes(lanes: readonly LaneLook[]): Check[] {
  const still = lanes.filter(({ state }) => state !== 'open');
  if (still.length === 0) {
    return [ok('lanes', lanes.length === 0 ? 'none yet' : `${lanes.length}, all open`)];
  }
  const checks = still.slice(0, MOST_SHOWN).map(judgeLane);
  const more = still.length - checks.length;
  return more > 0 ? [...checks, note('lanes', `and ${more} more that are not open`)] : checks;
}

function judgeLane({ provider, model, state, reason, message }: LaneLook): Check {
  const why = message ?? `${model} at ${provider}`;
  if (state === 'cooling') return note('lane', why);
  if (state === 'unreachable') {
    return wrong('provider_unreachable', 'lane', `Provider unreachable: ${why}`, null);
  }
  const isKey = reason !== 'paused' && /\b40[13]\b/.test(why);
  return wrong(isKey ? 'provider_key' : 'lane_paused', 'lane', `Lane paused: ${why}`, null);
}

/** Reasons that are a fault. The others are intended, or end by themselves. */
const FAULTS: Readonly<Record<string, Cause>> = {
  redis_full: 'redis_full',
  no_worker: 'no_worker',
  storage: 'storage',
  provider_unreachable: 'provider_unreachable',
  lane_paused: 'lane_paused',
};

/** @param isComplete true if these are all batches */
export function judgeBatches(batches: readonly ListedBatch[], isComplete: boolean): Check[] {
  const open = batches.filter(({ status }) => !isBatchSettled(status));
  const waiting = open.flatMap((batch) => {
    const given = batch.waiting_for ?? null;
    if (given !== null) return [{ id: batch.id, ...given }];
    return batch.paused ? [{ id: batch.id, reason: 'paused', message: '', until: null }] : [];
  });
  const few = isComplete ? '' : ` among the newest ${batches.length}`;
  if (waiting.length === 0) {
    return [
      ok(
        'batches',
        open.length === 0 ? `none is open${few}` : `${open.length} open${few}, none waits`,
      ),
    ];
  }
  const checks = waiting.slice(0, MOST_SHOWN).map(({ id, reason, message, until }): Check => {
    const end = until === null ? '' : ` (until ${timeOfDay(until * 1000)})`;
    const text = `${id} waits: ${message === '' ? reason.replaceAll('_', ' ') : message}${end}`;
    const cause = FAULTS[reason];
    if (cause !== undefined) return wrong(cause, 'batch', text, null);
    return note('batch', text, reason === 'paused' ? `Resume it: nightshift resume ${id}` : null);
  });
  const more = waiting.length - checks.length;
  return more > 0 ? [...checks, note('batches', `and ${more} more that wait`)] : checks;
}

/** `03:14:20`, local. */
function timeOfDay(ms: number): string {
  const at = new Date(ms);
  return [at.getHours(), at.getMinutes(), at.getSeconds()]
    .map((part) => String(part).padStart(2, '0'))
    .join(':');
}
