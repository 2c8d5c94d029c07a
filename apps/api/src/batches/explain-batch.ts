import type { Batch, OpenLines } from '@nightshift/shared/batch';
import { routeModel } from '@nightshift/shared/config';
import {
  presentBatch,
  presentWait,
  type BatchView,
  type WaitingFor,
} from '@nightshift/shared/http';
import { laneOf } from '@nightshift/shared/lane';
import { batchWait, laneWait, limitWait, linesWait, type Wait } from '@nightshift/shared/waiting';
import { laneWords } from '../present-job.ts';
import type { BatchContext } from './batch-context.ts';

/** A batch as the API returns it, with the reason if it is waiting. */
export async function showBatch(context: BatchContext, batch: Batch): Promise<BatchView> {
  return presentBatch(batch, await explainBatch(context, batch));
}

/** Null also if Redis fails: the answer is then sent without a reason. */
export async function explainBatch(
  context: BatchContext,
  batch: Batch,
): Promise<WaitingFor | null> {
  try {
    return presentWait(await waitOf(context, batch));
  } catch (error) {
    context.logger.warn(
      { batchId: batch.id, reason: (error as Error).message },
      'batch.not_explained',
    );
    return null;
  }
}

async function waitOf(context: BatchContext, batch: Batch): Promise<Wait | null> {
  const fleet = await context.fleetStates.get();
  const wait = batchWait(batch, fleet);
  if (wait !== 'look_at_lines') return wait;
  const lines = linesOr(await context.batches.openLines(batch.tenant, batch.id), context, batch);
  if (lines.isMoving) return null;
  const laneIds = [...new Set(lines.groups.map(({ laneId }) => laneId))];
  const waits = await Promise.all(
    laneIds.map(async (laneId) => [laneId, await laneWaitOf(context, laneId)] as const),
  );
  return linesWait(
    lines,
    new Map(waits.flatMap(([laneId, laneWait]) => (laneWait === null ? [] : [[laneId, laneWait]]))),
    fleet,
  );
}

/** Before its first line is fed, a batch with a single model waits for that model's lane. */
function linesOr(lines: OpenLines, { configuration }: BatchContext, batch: Batch): OpenLines {
  const { counts, model } = batch;
  const isOpen = counts.completed + counts.failed < counts.total;
  if (lines.isMoving || lines.groups.length > 0 || model === null || !isOpen) return lines;
  const provider = routeModel(configuration, model);
  if (provider === undefined) return lines;
  const laneId = laneOf(provider.name, model, provider.credential).id;
  const group = { laneId, state: 'queued', count: 1, retryAtMs: null, message: '' } as const;
  return { isMoving: false, groups: [group] };
}

async function laneWaitOf(context: BatchContext, laneId: string): Promise<Wait | null> {
  const { lane, state, budget } = await context.laneStates.get(laneId);
  if (lane === null) return null;
  return laneWait(lane, state, laneWords(context)) ?? limitWait(lane, budget, 'bulk', state.nowMs);
}
