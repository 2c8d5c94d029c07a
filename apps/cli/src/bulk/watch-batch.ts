import type { Clock } from '@nightshift/shared/clock';
import { isBatchSettled } from '@nightshift/shared/batch';
import type { BatchView, LaneView } from '@nightshift/shared/http';
import type { BulkClient } from './client.ts';
import type { Display } from './display.ts';
import type { Patience } from './patience.ts';
import { createProgressTracker } from './progress.ts';

export interface WatchOptions {
  client: BulkClient;
  patience: Patience;
  display: Display;
  clock: Clock;
  signal: AbortSignal;
}

const LOOK_EVERY_MS = 1000;

/** Shows how a batch gets on until it is settled, also over an API that goes away and comes back. */
export async function watchBatch(
  id: string,
  { client, patience, display, clock, signal }: WatchOptions,
): Promise<BatchView> {
  const tracker = createProgressTracker();
  let lanes: LaneView[] = [];
  try {
    for (;;) {
      const batch = await patience.with(async () => await client.batch(id));
      // Only a hint beside the figures: without it the watch goes on.
      if (!isBatchSettled(batch.status)) lanes = await client.lanes().catch(() => lanes);
      signal.throwIfAborted();
      display.show(tracker.look({ atMs: clock.now(), batch, lanes }));
      if (isBatchSettled(batch.status)) return batch;
      await clock.sleep(LOOK_EVERY_MS, signal);
    }
  } finally {
    display.end();
  }
}
