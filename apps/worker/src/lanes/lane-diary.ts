import type { Clock } from '@nightshift/shared/clock';
import type { Endpoint } from '@nightshift/shared/job';
import { addAnswer, emptyLengths, type AnswerLengths } from '@nightshift/shared/lane';
import type { LaneNote } from '@nightshift/shared/redis';
import type { Outcome } from '../attempt/outcome.ts';

/** Gathers a lane's results in this process, so that its history is written every few seconds and not once per call. */
export interface LaneDiary {
  add(call: CallSeen): void;
  /** Takes what was gathered since the last call. Null when the lane has had no result for a minute. */
  take(): LaneNote | null;
}

export interface CallSeen {
  outcome: Outcome['kind'];
  endpoint: Endpoint;
  /** Null if the provider reported none. */
  outputTokens: number | null;
  /** Number of choices that the request asked for. */
  choices: number;
}

/** Samples continue this long without a result: pauses while the lane cools down are part of its throughput. */
const IDLE_MS = 60_000;

export function createLaneDiary(clock: Pick<Clock, 'monotonic'>): LaneDiary {
  let results = 0;
  let lengths = new Map<Endpoint, AnswerLengths>();
  let lastResultMs = -Infinity;
  return {
    add: ({ outcome, endpoint, outputTokens, choices }) => {
      if (outcome !== 'succeeded' && outcome !== 'rejected') return;
      results += 1;
      lastResultMs = clock.monotonic();
      if (outcome !== 'succeeded' || outputTokens === null) return;
      const known = lengths.get(endpoint) ?? emptyLengths();
      lengths.set(endpoint, known);
      addAnswer(known, outputTokens / Math.max(1, choices));
    },
    take: () => {
      if (clock.monotonic() - lastResultMs > IDLE_MS) return null;
      const note = { results, lengths };
      results = 0;
      lengths = new Map();
      return note;
    },
  };
}
