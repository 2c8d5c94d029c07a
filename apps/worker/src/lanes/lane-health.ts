import type { Clock } from '@nightshift/shared/clock';
import type { LaneHealth as SharedHealth, LaneSnapshot } from '@nightshift/shared/lane';
import type { CallTimes, LaneStore } from '@nightshift/shared/redis';
import type { Outcome } from '../attempt/outcome.ts';

/** While the lane's calls fail, successes are reported this often, because one of them ends the run of failures. */
const TELL_EVERY_MS = 250;
/** The shares of refused and of failed calls are moving averages over about this many calls. */
const SHARE_CALLS = 20;

/** The last success over all lanes of one credential, in this process. */
export interface CredentialHealth {
  /** Unix milliseconds on Redis' clock, 0 for never. */
  succeededAtMs: number;
  succeededSentAtMs: number;
}

/** Bounds for the number of consecutive failures that open the breaker. */
const FAILURES = { least: 4, most: 10 };
/**
 * Consecutive failures that are less likely than this by chance are an outage. With few jobs at work an error costs little, and a
 * job must not use up its eight attempts before the breaker opens.
 */
const BY_CHANCE = {
  few: { likelihood: 1e-2, most: 7 },
  many: { likelihood: 1e-5, most: 40 },
};

/**
 * How many consecutive failures open a lane's breaker; see docs/adr/0025.
 * @param atWork queue entries of the lane that this process has taken
 * @param failedShare share of its calls that failed before this run began, from 0 to 1
 */
export function failuresToOpen(atWork: number, failedShare: number): number {
  const few = Math.min(FAILURES.most, Math.max(FAILURES.least, 3 * atWork));
  if (failedShare <= 0) return few;
  const { likelihood, most } = few < FAILURES.most ? BY_CHANCE.few : BY_CHANCE.many;
  const byChance = Math.ceil(Math.log(likelihood) / Math.log(Math.min(failedShare, 0.99)));
  return Math.max(few, Math.min(most, byChance));
}

/** After this long without an answer the breaker opens; null while the duration of a slow call is unknown. */
export function silenceMs(slowMs: number): number | null {
  return slowMs === 0 ? null : Math.max(20_000, 4 * slowMs);
}

/** How long a trial call may take. */
export function trialTimeoutMs(slowMs: number, outageMs: number): number {
  return slowMs === 0
    ? Math.max(60_000, outageMs / 2)
    : Math.max(30_000, 3 * slowMs, outageMs / 60);
}

/** What this process knows about the results of its lane's calls, and what it reports to the fleet. */
export interface LaneHealth {
  readonly shared: SharedHealth | null;
  readonly refusedShare: number;
  /** The last success of this process, or of the fleet if that was reported later. */
  readonly succeededAtMs: number;
  readonly succeededSentAtMs: number;
  learn(snapshot: LaneSnapshot): void;
  /** Records that a call came back; `isFirst`: its job was never refused before. */
  heard(outcome: Outcome, times: CallTimes, isFirst: boolean): void;
  /** Reports a failure; resolves to the number of its run, or 0. */
  failed(failure: {
    kind: 'call' | 'trial' | 'known' | 'silence';
    message: string;
    atWork: number;
  }): Promise<number>;
  /** Reports that the trial call was answered. */
  trialAnswered(times: CallTimes): Promise<void>;
  /** Reports what has not been reported yet. */
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
  /** Now, and as of the last success: failures since then may belong to an outage. */
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
    // A success says more than a refusal.
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
          // The slowest success since the last report.
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
