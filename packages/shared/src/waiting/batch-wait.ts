import {
  isBatchSettled,
  mayRun,
  quietHoursBegin,
  type Batch,
  type LineGroup,
  type OpenLines,
} from '../batch/index.ts';
import type { Fleet } from '../fleet/index.ts';
import { noSlotWait, noWorkerWait } from './fleet-wait.ts';
import { runAtWait } from './job-wait.ts';
import { instant, maskKeys, type Wait } from './words.ts';

/** Why a whole batch is waiting; `look_at_lines` if that depends on its lines. */
export function batchWait(batch: Batch, fleet: Fleet): Wait | 'look_at_lines' | null {
  if (isBatchSettled(batch.status)) return null;
  const { nowMs } = fleet;
  if (batch.status === 'in_progress') {
    if (batch.paused) {
      return {
        reason: 'paused',
        message: `The batch is paused. Resume it: nightshift resume ${batch.id}.`,
        untilMs: null,
      };
    }
    if (batch.runAtMs !== null && batch.runAtMs > nowMs) return runAtWait(batch.runAtMs, nowMs);
    if (batch.quietHours !== null && !mayRun(batch.quietHours, nowMs)) {
      const { start, end, timeZone } = batch.quietHours;
      const untilMs = quietHoursBegin(batch.quietHours, nowMs);
      return {
        reason: 'quiet_hours',
        message: `The batch runs from ${start} to ${end} ${timeZone}, its quiet hours. It resumes at ${instant(untilMs, nowMs)}.`,
        untilMs,
      };
    }
  }
  const held = noWorkerWait(fleet) ?? heldUpWait(batch);
  if (held !== null) return held;
  return batch.status === 'in_progress' ? 'look_at_lines' : null;
}

function heldUpWait({ heldUp }: Batch): Wait | null {
  return heldUp && { ...heldUp, untilMs: null };
}

/** Why the lanes of a batch are not called: lane id → its wait. A lane that is missing here is called. */
export type LaneWaits = ReadonlyMap<string, Wait>;

/** The reason that holds most of the lines; null while lines settle, or if most of them progress. */
export function linesWait(lines: OpenLines, laneWaits: LaneWaits, fleet: Fleet): Wait | null {
  if (lines.isMoving) return null;
  const isCalled = lines.groups.some(({ state }) => state === 'called');
  // Lines in progress hold slots themselves, so the batch is not waiting for other work.
  const noSlot = isCalled ? null : noSlotWait(fleet, 'bulk');
  const held = new Map<string, { wait: Wait | null; lines: number }>();
  for (const group of lines.groups) {
    const wait = groupWait(group, laneWaits, noSlot);
    const key = wait === null ? '' : `${wait.reason} ${group.laneId}`;
    const before = held.get(key);
    held.set(key, { wait: before?.wait ?? wait, lines: (before?.lines ?? 0) + group.count });
  }
  const [most] = [...held.values()].toSorted((a, b) => b.lines - a.lines);
  return most?.wait ?? null;
}

function groupWait(group: LineGroup, laneWaits: LaneWaits, noSlot: Wait | null): Wait | null {
  switch (group.state) {
    case 'called':
      return null;
    case 'queued':
      return laneWaits.get(group.laneId) ?? noSlot;
    case 'backoff':
      return {
        reason: 'backoff',
        message: maskKeys(group.message || 'Its lines wait for their next attempts.'),
        untilMs: group.retryAtMs,
      };
  }
}
