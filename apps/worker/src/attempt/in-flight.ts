import { Bag } from '@nightshift/shared/collections';
import type { AttemptStore, Claim } from '@nightshift/shared/redis';
import type { AbortReason } from './outcome.ts';

/** The calls that this process has at providers now. */
export interface InFlight {
  readonly size: number;
  /** Registers a call; returns how to forget it. */
  add(claim: Claim, abort: (reason: AbortReason) => void): () => void;
  /** Aborts the call of a job that is not ours any more. */
  withdraw(jobId: string): void;
  /** Aborts all calls: this worker stops, and other workers are to make them. */
  handOffAll(): void;
  /** After messages may have been missed: aborts every call whose record has moved on. */
  recheck(attempts: AttemptStore): Promise<void>;
}

export function createInFlight(): InFlight {
  const calls = new Bag<{ claim: Claim; abort: (reason: AbortReason) => void }>();
  return {
    get size() {
      return calls.size;
    },
    add: (claim, abort) => {
      const place = calls.add({ claim, abort });
      return () => {
        calls.delete(place);
      };
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
