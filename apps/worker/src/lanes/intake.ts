import type { Clock } from '@nightshift/shared/clock';
import { MOST_IN_BUNDLE } from '@nightshift/shared/job';
import { createMeanCount } from './mean-count.ts';

/** `recording`: the slot is free again, and the result is being saved. */
export type DeliveryStage = 'waiting' | 'in_slot' | 'recording' | 'over';

/** Counts what the reader of one queue has taken, and decides how much more it may prefetch. */
export interface Intake {
  /** Entries that were taken and are not finished. */
  readonly entries: number;
  /** Counts an entry; returns a function to call when it is finished. */
  takeEntry(): () => void;
  /** Records how many deliveries an entry holds; returns true if the limit may have changed. */
  learnSize(deliveries: number): boolean;
  /** Counts a delivery that waits for a slot; returns a function that moves it to its next stage. */
  takeDelivery(): (stage: DeliveryStage) => void;
  /** How many entries the reader may hold when slots are free for `room` deliveries; at least one. */
  limit(room: number): number;
}

export function createIntake(clock: Pick<Clock, 'monotonic'>, totalSlots: number): Intake {
  let entries = 0;
  let waiting = 0;
  const recording = createMeanCount(clock);
  let lastSize = 1;
  // Several entries of different sizes are fetched before the first is parsed. Assume the largest bundle at first, then the
  // largest recent one, decreasing by one with each smaller entry.
  let reckonedSize = MOST_IN_BUNDLE;

  return {
    get entries() {
      return entries;
    },

    takeEntry: () => {
      entries += 1;
      return () => {
        entries -= 1;
      };
    },

    learnSize: (deliveries) => {
      const isAsReckoned = deliveries === 1 && reckonedSize === 1;
      lastSize = deliveries;
      reckonedSize = Math.max(deliveries, reckonedSize - 1);
      return !isAsReckoned;
    },

    takeDelivery: () => {
      let stage: DeliveryStage = 'waiting';
      waiting += 1;
      return (next) => {
        if (stage === 'waiting') waiting -= 1;
        if (next === 'waiting') waiting += 1;
        if (stage === 'recording') recording.change(-1);
        if (next === 'recording') recording.change(1);
        stage = next;
      };
    },

    /**
     * Entries beyond the free slots would wait here while another process could run them. Deliveries being saved hold no slot
     * but count, since BullMQ fetches the next entry when they finish; the average number of saves in progress is prefetched in
     * addition, for the slots that are free until then. Prefetch one more bundle, since the calls of a bundle do not all end at
     * once, or two if they fill no more than half of the slots: the next fetch takes a round trip.
     */
    limit: (room) => {
      const oneMore = lastSize - 1;
      const ahead = Math.max(oneMore, Math.min(2 * oneMore, Math.floor(totalSlots / 2)));
      const spare = room - waiting - recording.now + Math.floor(recording.mean) + ahead;
      return Math.max(1, entries + Math.ceil(spare / reckonedSize));
    },
  };
}
