import type { Clock } from '@nightshift/shared/clock';
import { MOST_IN_BUNDLE } from '@nightshift/shared/job';
import { createMeanCount } from './mean-count.ts';

/** `recording`: its slot is the next one's, and its result is on its way. */
export type DeliveryStage = 'waiting' | 'in_slot' | 'recording' | 'over';

/** What the reader of one queue has taken, and how much more it may take. */
export interface Intake {
  /** Entries that were taken and are not over. */
  readonly entries: number;
  /** An entry was taken; returns how it is over. */
  takeEntry(): () => void;
  /** An entry turned out to hold so many deliveries; true when the limit may be another for it. */
  learnSize(deliveries: number): boolean;
  /** One of an entry's deliveries waits for a slot; returns how it goes on. */
  takeDelivery(): (stage: DeliveryStage) => void;
  /** How many entries may be taken in all when slots are free for so many deliveries; one at least. */
  limit(room: number): number;
}

export function createIntake(clock: Pick<Clock, 'monotonic'>, totalSlots: number): Intake {
  let entries = 0;
  let waiting = 0;
  const recording = createMeanCount(clock);
  let lastSize = 1;
  // Several entries are fetched before the first is looked at, and they differ in size: until smaller ones have come for
  // a while, the next is reckoned to be the largest of the last, and the first to be the largest that there is.
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
     * What is taken beyond the free slots would wait here while another process could have run it. What is being recorded
     * has no slot and counts nevertheless, since BullMQ fetches the next one for it when it is over; what is recorded at a
     * time in the mean is taken in addition, for the slots that are free until then. Of bundles one more, since the calls of
     * one do not end all at once, and two where that is no more than half of the slots: the next is a round trip away.
     */
    limit: (room) => {
      const oneMore = lastSize - 1;
      const ahead = Math.max(oneMore, Math.min(2 * oneMore, Math.floor(totalSlots / 2)));
      const spare = room - waiting - recording.now + Math.floor(recording.mean) + ahead;
      return Math.max(1, entries + Math.ceil(spare / reckonedSize));
    },
  };
}
