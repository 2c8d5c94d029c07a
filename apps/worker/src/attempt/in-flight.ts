import { Bag } from '@nightshift/shared/collections';
import type { AttemptStore, Claim } from '@nightshift/shared/redis';
import type { AbortReason } from './outcome.ts';

interface CallInFlight {
  claim: Claim;
  laneId: string;
  startedMs: number;
  abort: (reason: AbortReason) => void;
  park: () => void;
}

/** The calls that this process has at providers now. */
export interface InFlight {
  readonly size: number;
  /** Registers a call; returns a function that removes it. `startedMs` is on the monotonic clock. */
  add(call: CallInFlight): () => void;
  /** When the lane's oldest call in flight began, on the monotonic clock; null while there is none. */
  oldest(laneId: string): number | null;
  /** Aborts calls of the lane that began before this time, since they hang; `most` of them. Returns how many. */
  giveUp(laneId: string, startedBeforeMs: number, most?: number): number;
  /** Frees the slots of the lane's calls that began before this time: they may hang for long. */
  park(laneId: string, startedBeforeMs: number): void;
  /** Aborts the call of a job that is not ours any more. */
  withdraw(jobId: string): void;
  /** Aborts all calls: this worker stops, and other workers are to make them. */
  handOffAll(): void;
  /** After messages may have been missed: aborts every call whose record has moved on. */
  recheck(attempts: AttemptStore): Promise<void>;
}

export function createInFlight(): InFlight {
  const calls = new Bag<CallInFlight>();
  return {
    get size() {
      return calls.size;
    },
    add: (call) => {
      const place = calls.add(call);
      return () => {
        calls.delete(place);
      };
    },
    oldest: (laneId) => {
      let oldestMs: number | null = null;
      for (const call of calls) {
        if (call.laneId === laneId) oldestMs = Math.min(oldestMs ?? Infinity, call.startedMs);
      }
      return oldestMs;
    },
    park: (laneId, startedBeforeMs) => {
      for (const call of calls) {
        if (call.laneId === laneId && call.startedMs < startedBeforeMs) call.park();
      }
    },
    giveUp: (laneId, startedBeforeMs, most = Infinity) => {
      let count = 0;
      for (const call of calls) {
        if (count === most) break;
        if (call.laneId !== laneId || call.startedMs >= startedBeforeMs) continue;
        call.abort('silent');
        count += 1;
      }
      return count;
    },
    withdraw: (jobId) => {
      for (const { claim, abort } of calls) if (claim.jobId === jobId) abort('withdrawn');
    },
    handOffAll: () => {
      for (const { abort } of calls) abort('handed_off');
    },
    recheck: async (attempts) => {
      const entries = [...calls];
      const held = await attempts.stillHeld(entries.map(({ claim }) => claim));
      for (const [at, entry] of entries.entries()) if (held[at] === false) entry.abort('withdrawn');
    },
  };
}
