import type { LaneView } from '@nightshift/shared/http';
import type { WaitReason } from '@nightshift/shared/job';
import type { BatchContext } from './batches/batch-context.ts';
import { explainBatch } from './batches/explain-batch.ts';

/** Waiting work by reason. */
export interface WaitingCount {
  object: 'batch' | 'lane' | 'delivery';
  reason: WaitReason;
  count: number;
}

/** For each tenant, since explaining a batch costs a round trip. */
const MAX_BATCHES = 500;
const BATCHES_AT_ONCE = 25;

/** Lanes that are held up, and the deliveries in their queues. */
export function countLanes(lanes: readonly LaneView[]): WaitingCount[] {
  return lanes.flatMap(({ reason, queued }): WaitingCount[] =>
    reason === null
      ? []
      : [
          { object: 'lane', reason, count: 1 },
          { object: 'delivery', reason, count: queued.interactive + queued.bulk },
        ],
  );
}

/** Waiting open batches of all tenants. */
export async function countBatches(context: BatchContext): Promise<WaitingCount[]> {
  const { batches, jobs } = context;
  const counts: WaitingCount[] = [];
  for (const tenant of await jobs.tenants()) {
    const ids = (await batches.open(tenant)).slice(0, MAX_BATCHES);
    for (let from = 0; from < ids.length; from += BATCHES_AT_ONCE) {
      const waits = await Promise.all(
        ids.slice(from, from + BATCHES_AT_ONCE).map(async (id) => {
          const batch = await batches.get(tenant, id);
          return batch === null ? null : await explainBatch(context, batch);
        }),
      );
      for (const wait of waits) {
        if (wait !== null) counts.push({ object: 'batch', reason: wait.reason, count: 1 });
      }
    }
  }
  return counts;
}
