import type { Clock } from '@nightshift/shared/clock';
import type { LaneHealth as SharedHealth, LaneSnapshot } from '@nightshift/shared/lane';
import type { CallTimes, LaneStore } from '@nightshift/shared/redis';
import type { Outcome } from '../attempt/outcome.ts';

/** Successes are told so often while the lane's calls fail: one of them ends the run of failures. */
const TELL_EVERY_MS = 250;
/** The parts of a lane's calls that are refused and that fail follow about the last so many calls. */
const SHARE_CALLS = 20;

/** Successes of all lanes of one credential in this process. */
export interface CredentialHealth {
  /** Unix milliseconds on Redis' clock, 0 for never. */
  succeededAtMs: number;
  succeededSentAtMs: number;
}

/** So many failures in a row are no chance where few calls fail. */
const FAILURES = { least: 4, most: 10, mostWhereManyFail: 40 };
/** A row of failures that chance brings about more rarely than this is an outage. */
const BY_CHANCE = 1e-5;

/**
 * How many failures in a row open a lane's breaker; see docs/adr/0025.
 * @param atWork how many of its jobs are at work in this process
 * @param failedShare the part of its calls that failed before this row began, from 0 to 1
 */
export function failuresToOpen(atWork: number, failedShare: number): number {
  const few = Math.min(FAILURES.most, Math.max(FAILURES.least, 3 * atWork));
  if (few < FAILURES.most || failedShare <= 0) return few;
  const byChance = Math.ceil(Math.log(BY_CHANCE) / Math.log(Math.min(failedShare, 0.99)));
  return Math.min(FAILURES.mostWhereManyFail, Math.max(few, byChance));
}

/** How long nobody answers until that is taken for an outage, and how long a trial call may take; null while unknown. */
export function silenceMs(slowMs: number): number | null {
  return slowMs === 0 ? null : Math.max(30_000, 4 * slowMs);
}
export function trialTimeoutMs(slowMs: number, outageMs: number): number {
  return slowMs === 0
    ? Math.max(60_000, outageMs / 2)
    : Math.max(30_000, 3 * slowMs, outageMs / 60);
}

/** What this process knows of how its lane's calls end, and what it tells the fleet of it. */
export interface LaneHealth {
  readonly shared: SharedHealth | null;
  readonly refusedShare: number;
  /** The last success: of the fleet as far as told, and of this process. */
  readonly succeededAtMs: number;
  readonly succeededSentAtMs: number;
  learn(snapshot: LaneSnapshot): void;
  /** A call came back; `isFirst`: its job was never refused before. */
  heard(outcome: Outcome, times: CallTimes, isFirst: boolean): void;
  /** A failure that may be the lane's; resolves to the number of its run, or 0. */
  failed(failure: {
    kind: 'call' | 'trial' | 'known' | 'silence';
    message: string;
    atWork: number;
  }): Promise<number>;
  /** The single call that tried the lane was answered. */
  trialAnswered(times: CallTimes): Promise<void>;
  /** Tells what was not told yet. */
  flush(): Promise<void>;
}

export function createLaneHealth({
  laneId,
  lanes,
  credential,
  clock,
  random,
  onSnapshot,
  onFailure,
}: {
  laneId: string;
  lanes: Pick<LaneStore, 'fail' | 'answer'>;
  credential: CredentialHealth;
  clock: Pick<Clock, 'monotonic'>;
  random: () => number;
  onSnapshot: (snapshot: LaneSnapshot) => void;
  onFailure: (error: unknown) => void;
}): LaneHealth {
  let shared: SharedHealth | null = null;
  let lastSuccess: CallTimes | null = null;
  let untoldTookMs = 0;
  let untold: { kind: 'success' | 'answer'; times: CallTimes } | null = null;
  let toldAtMs = -Infinity;
  let refusedShare = 0;
  /** Of late, and when the last success came: failures since then may be an outage's. */
  let failedShare = 0;
  let failedShareBefore = 0;

  const flush = async (): Promise<void> => {
    if (untold === null) return;
    const { kind, times } = untold;
    untold = null;
    untoldTookMs = 0;
    toldAtMs = clock.monotonic();
    onSnapshot(await lanes.answer(laneId, kind, times));
  };
  const note = (kind: 'success' | 'answer', times: CallTimes): void => {
    // A success tells more than a refusal does.
    if (untold?.kind !== 'success' || kind === 'success') untold = { kind, times };
    if (shared?.isFailing === true && clock.monotonic() - toldAtMs >= TELL_EVERY_MS) {
      flush().catch(onFailure);
    }
  };

  return {
    get shared() {
      return shared;
    },
    get refusedShare() {
      return refusedShare;
    },
    get succeededAtMs() {
      return Math.max(shared?.succeededAtMs ?? 0, lastSuccess?.endedAtMs ?? 0);
    },
    get succeededSentAtMs() {
      return Math.max(shared?.succeededSentAtMs ?? 0, lastSuccess?.sentAtMs ?? 0);
    },
    learn: ({ health }) => {
      shared = health;
    },
    heard: (outcome, times, isFirst) => {
      if (isFirst && outcome.kind !== 'aborted') {
        refusedShare += ((outcome.kind === 'rate_limited' ? 1 : 0) - refusedShare) / SHARE_CALLS;
      }
      if (outcome.kind !== 'aborted') {
        failedShare += ((outcome.kind === 'retryable' ? 1 : 0) - failedShare) / SHARE_CALLS;
      }
      if (outcome.kind === 'succeeded') {
        failedShareBefore = failedShare;
        untoldTookMs = Math.max(untoldTookMs, times.tookMs);
        lastSuccess = {
          endedAtMs: times.endedAtMs,
          sentAtMs: Math.max(times.sentAtMs, lastSuccess?.sentAtMs ?? 0),
          // Of all that were not told yet, the slowest.
          tookMs: untoldTookMs,
        };
        credential.succeededAtMs = Math.max(credential.succeededAtMs, times.endedAtMs);
        credential.succeededSentAtMs = Math.max(credential.succeededSentAtMs, times.sentAtMs);
        note('success', lastSuccess);
      } else if (outcome.kind !== 'retryable' && outcome.kind !== 'aborted') note('answer', times);
    },
    failed: async ({ kind, message, atWork }) => {
      const opensAfter = failuresToOpen(atWork, failedShareBefore);
      const failure = { kind, message, opensAfter, random: random(), lastSuccess };
      const { run, snapshot } = await lanes.fail(laneId, failure);
      onSnapshot(snapshot);
      return run;
    },
    trialAnswered: async (times) => {
      onSnapshot(await lanes.answer(laneId, 'trial', times));
    },
    flush,
  };
}
