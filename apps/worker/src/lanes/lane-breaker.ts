import type { Clock } from '@nightshift/shared/clock';
import { laneStanding, type LaneSnapshot } from '@nightshift/shared/lane';
import type { CallTimes, LaneStore } from '@nightshift/shared/redis';
import type { Logger } from '@nightshift/shared/telemetry';
import type { InFlight } from '../attempt/in-flight.ts';
import type { LaneFacts } from '../attempt/next-step.ts';
import type { Outcome } from '../attempt/outcome.ts';
import type { LaneGate } from './lane-gate.ts';
import {
  createLaneHealth,
  silenceMs,
  trialTimeoutMs,
  type CredentialHealth,
} from './lane-health.ts';
import type { SlowStart } from './slow-start.ts';

/** This process's side of a lane's breaker: it reports the results of calls and reacts when the breaker opens or closes. */
export interface LaneBreaker {
  readonly openedRuns: string;
  /** Applies the lane's state from Redis. */
  take(snapshot: LaneSnapshot): void;
  heard(outcome: Outcome, times: CallTimes, isFirst: boolean): LaneFacts;
  failed(kind: 'call' | 'trial' | 'known', message: string): Promise<LaneFacts>;
  /** Reports that the trial call was answered, whatever the answer. */
  trialAnswered(): Promise<void>;
  /** How long a trial call may take; null unless the breaker is open. */
  readonly trialTimeoutMs: number | null;
  /** Call every few seconds: reports pending successes, and detects that no call comes back. */
  watch(): Promise<void>;
}

/** When the lane answers again, calls that hang have this long to come back by themselves. */
const OTHERS_MS = 3000;

export function createLaneBreaker(options: {
  laneId: string;
  lanes: Pick<LaneStore, 'fail' | 'answer'>;
  gate: LaneGate;
  slowStart: SlowStart;
  credential: CredentialHealth;
  inFlight: InFlight;
  clock: Clock;
  random: () => number;
  logger: Logger;
  /** Queue entries of the lane that this process has taken. */
  atWork: () => number;
}): LaneBreaker {
  const { laneId, gate, slowStart, credential, inFlight, clock, logger } = options;
  let snapshot: LaneSnapshot | null = null;
  let heardAtMs = clock.monotonic();
  let lastCall: CallTimes = { sentAtMs: 0, endedAtMs: 0, tookMs: 0 };
  /** When the breaker closed. Calls that still hang from before are aborted soon after. */
  let closedAtMs: number | null = null;

  const isUnreachable = (): boolean =>
    snapshot !== null && laneStanding(snapshot).state === 'unreachable';

  const take = (next: LaneSnapshot): void => {
    const wasOpen = snapshot?.unreachable != null;
    snapshot = next;
    health.learn(next);
    if (wasOpen && next.unreachable === null) {
      slowStart.begin();
      closedAtMs = clock.monotonic();
    }
    gate.update(next);
    slowStart.wake();
  };
  const health = createLaneHealth({
    ...options,
    onSnapshot: take,
    onFailure: (error) => {
      logger.warn({ laneId, reason: (error as Error).message }, 'lane.not_told');
    },
  });
  const facts = (run: number): LaneFacts => ({
    run,
    isUnreachable: isUnreachable(),
    succeededAtMs: health.succeededAtMs,
    succeededSentAtMs: health.succeededSentAtMs,
    credentialSucceededAtMs: Math.max(credential.succeededAtMs, health.succeededAtMs),
    credentialSucceededSentAtMs: Math.max(credential.succeededSentAtMs, health.succeededSentAtMs),
    refusedShare: health.refusedShare,
    refusedJob: health.shared?.refusedJob ?? null,
  });

  /** Opens the breaker when calls have been in flight much longer than a slow call takes and none came back. */
  const watchSilence = async (afterMs: number): Promise<void> => {
    const oldestMs = inFlight.oldest(laneId);
    const nowMs = clock.monotonic();
    if (oldestMs === null || nowMs - oldestMs < afterMs || nowMs - heardAtMs < afterMs) return;
    const seconds = Math.round((nowMs - Math.max(oldestMs, heardAtMs)) / 1000);
    const message = `no call has been answered for ${seconds} s`;
    await health.failed({ kind: 'silence', message, atWork: options.atWork() });
    if (!isUnreachable()) return;
    inFlight.park(laneId, nowMs - afterMs);
    // Trials need a job, and all of the lane's may be in these calls.
    inFlight.giveUp(laneId, nowMs - afterMs + 1, 1);
  };

  return {
    get openedRuns() {
      return health.shared?.openedRuns ?? ',';
    },
    take,
    heard: (outcome, times, isFirst) => {
      if (outcome.kind !== 'aborted') heardAtMs = clock.monotonic();
      lastCall = times;
      health.heard(outcome, times, isFirst);
      return facts(0);
    },
    failed: async (kind, message) =>
      facts(await health.failed({ kind, message, atWork: options.atWork() })),
    trialAnswered: async () => health.trialAnswered(lastCall),
    get trialTimeoutMs() {
      if (snapshot?.unreachable == null || !isUnreachable()) return null;
      const outageMs = snapshot.nowMs - snapshot.unreachable.sinceMs;
      return trialTimeoutMs(snapshot.health.slowMs, outageMs);
    },
    watch: async () => {
      await health.flush();
      const afterMs = silenceMs(health.shared?.slowMs ?? 0);
      if (afterMs === null) return;
      if (snapshot?.unreachable != null) {
        // Other lanes must not wait for slots until these time out.
        inFlight.park(laneId, clock.monotonic() - afterMs);
        return;
      }
      if (closedAtMs !== null && clock.monotonic() - closedAtMs > OTHERS_MS) {
        const before = Math.min(closedAtMs, clock.monotonic() - afterMs);
        const count = inFlight.giveUp(laneId, before);
        if (count > 0) logger.warn({ laneId, count }, 'calls.given_up');
        if ((inFlight.oldest(laneId) ?? Infinity) >= closedAtMs) closedAtMs = null;
      }
      await watchSilence(afterMs);
    },
  };
}
