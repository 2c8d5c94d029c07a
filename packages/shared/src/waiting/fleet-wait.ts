import { aliveWorkers, isFleetBusy, slotsFor, type Fleet } from '../fleet/index.ts';
import type { Priority } from '../job/index.ts';
import { instant, whole, type Wait } from './words.ts';

/** The wait when no worker process takes jobs; null if one does. */
export function noWorkerWait(fleet: Fleet): Wait | null {
  if (aliveWorkers(fleet).length > 0) return null;
  const { workers, nowMs } = fleet;
  const last = workers.reduce<(typeof workers)[number] | null>(
    (latest, one) => (latest === null || one.lastSeenAtMs > latest.lastSeenAtMs ? one : latest),
    null,
  );
  const seen =
    last === null
      ? ''
      : last.state === 'stopping'
        ? `; the last one (process ${last.pid} on ${last.host}) is stopping`
        : `; the last one (process ${last.pid} on ${last.host}) was seen at ${instant(last.lastSeenAtMs, nowMs)}`;
  return {
    reason: 'no_worker',
    message: `No worker is alive${seen}. Start one: nightshift worker.`,
    untilMs: null,
  };
}

/** The wait when every slot for this priority is in use; null if one is free. */
export function noSlotWait(fleet: Fleet, priority: Priority): Wait | null {
  if (!isFleetBusy(fleet, priority)) return null;
  const alive = aliveWorkers(fleet);
  const slots = alive.reduce((sum, worker) => sum + slotsFor(priority, worker.slots), 0);
  const of = alive.length === 1 ? 'the only worker' : `all ${whole(alive.length)} workers`;
  return {
    reason: 'no_slot',
    message: `All ${whole(slots)} slots of ${of} are busy with other work. Start more workers or raise WORKER_CONCURRENCY.`,
    untilMs: null,
  };
}
