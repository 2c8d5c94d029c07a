import type { Clock } from '@nightshift/shared/clock';
import type { Endpoint } from '@nightshift/shared/job';
import { addAnswer, emptyLengths, type AnswerLengths } from '@nightshift/shared/lane';
import type { LaneNote } from '@nightshift/shared/redis';
import type { Outcome } from '../attempt/outcome.ts';

/** Gathers what this process sees of a lane, to be noted in the lane's history once per look and not once per call. */
export interface LaneDiary {
  add(call: CallSeen): void;
  /** What came since the last time. Null when the lane has had no result for a minute: then there is nothing to note. */
  take(): LaneNote | null;
}

export interface CallSeen {
  outcome: Outcome['kind'];
  endpoint: Endpoint;
  /** Null where the provider told none. */
  outputTokens: number | null;
  /** Answers that the request asked for. */
  choices: number;
}

/** A lane that cools down has no results for a while; the looks until then belong to the rate that it reaches. */
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
