import type { Configuration } from '@nightshift/shared/config';
import type { Clock } from '@nightshift/shared/clock';
import type { Endpoint } from '@nightshift/shared/job';
import type { AttemptStore, CallTimes, Claim } from '@nightshift/shared/redis';
import type { Logger } from '@nightshift/shared/telemetry';
import { costUsd, findPrice } from '@nightshift/shared/usage';
import type { Provider, ProviderAnswer } from '../provider/index.ts';
import { classify } from './classify.ts';
import { decide, isKnownToFail } from './decide.ts';
import { isOwnRefusal } from './decide-refusal.ts';
import type { KeepAnswer } from './keep-answer.ts';
import type { InFlight } from './in-flight.ts';
import type { AttemptFacts, LaneFacts, LaneNews, NextStep } from './next-step.ts';
import type { AbortReason, Outcome } from './outcome.ts';

/** What the attempt asks of its lane. */
export interface LaneAccess {
  readonly laneId: string;
  readonly model: string;
  readonly provider: Provider;
  /** Waits until the lane may be called and a slot is free; `not_now` when that takes longer than a moment. */
  reserve(): Promise<Reservation | 'not_now'>;
  /** Runs of failures that opened the lane's breaker; see `AttemptStore.begin`. */
  readonly openedRuns: string;
  /** Records that a call came back and returns what is now known about the lane. `isFirst`: its job was never refused before. */
  heard(outcome: Outcome, times: CallTimes, isFirst: boolean): LaneFacts;
  /** Reports a failure to the fleet, which may open the lane's breaker; resolves to what is then known about the lane. */
  failed(kind: 'call' | 'trial' | 'known', message: string): Promise<LaneFacts>;
  /** Reports a refusal by the provider to the lane, and so to the fleet. */
  report(news: LaneNews, reservation: Reservation, jobId: string): Promise<void>;
}

export interface Reservation {
  /** This is the single call that tries a paused or unreachable lane. */
  isProbe: boolean;
  /** Time limit of this call in addition to the limits of every call; null for none. */
  timeoutMs: number | null;
  /** Call just before the call is made. */
  sent(): void;
  /** The call has ended; the lane's budget learns from it unless `isTelling` is false: the outcome says nothing about its limits. */
  heard(outcome: Outcome, answer: ProviderAnswer, isTelling: boolean): void;
  /** The call hangs: frees its slot now. */
  park(): void;
  /** Releases the slot and any unused budget; has no effect the second time. A null outcome means that no call came back. */
  end(outcome: Outcome['kind'] | null): Promise<void>;
}

export interface AttemptDependencies {
  attempts: AttemptStore;
  inFlight: InFlight;
  keepAnswer: KeepAnswer;
  configuration: Pick<Configuration, 'retry' | 'prices'>;
  clock: Clock;
  random: () => number;
  workerId: string;
  logger: Logger;
  onOutcome?: (
    laneId: string,
    outcome: Outcome['kind'],
    durationMs: number,
    answer: { endpoint: Endpoint; outputTokens: number | null },
  ) => void;
}

export interface DeliveryToRun {
  tenant: string;
  jobId: string;
  delivery: number;
}

/** What becomes of the delivery: it is finished, or goes back to the head of its queue. */
export type DeliveryEnd = 'finished' | 'back_to_head';

let claims = 0;

/**
 * One attempt of one job: reserve → call → classify → decide → record. Whatever a crash cuts short is found again:
 * before the claim the delivery is simply handed out again; after it the record says that a call was made.
 */
export async function runAttempt(
  { tenant, jobId, delivery }: DeliveryToRun,
  lane: LaneAccess,
  stopping: AbortSignal,
  dependencies: AttemptDependencies,
): Promise<DeliveryEnd> {
  const { attempts, clock, logger } = dependencies;

  // Reserve.
  const reservation = await lane.reserve();
  if (reservation === 'not_now') return 'back_to_head';
  let heard: Outcome['kind'] | null = null;
  try {
    claims += 1;
    const claimId = `${dependencies.workerId}:${claims}`;
    const begun = await attempts.begin(
      ...([tenant, jobId, delivery, claimId, dependencies.workerId, lane.openedRuns] as const),
    );
    if (begun.kind === 'not_due') {
      await clock.sleep(Math.min(begun.waitMs, 1000), stopping).catch(() => undefined);
      return 'back_to_head';
    }
    if (begun.kind !== 'started') {
      if (begun.kind === 'quarantined')
        logger.error({ jobId, laneId: lane.laneId }, 'job.quarantined');
      return 'finished';
    }
    const { claim } = begun;
    if (claim.rescues > 0) {
      logger.warn(
        { jobId, laneId: lane.laneId, attempt: claim.attempt, rescues: claim.rescues },
        'job.rescued',
      );
    }

    // Call.
    const startedMs = clock.monotonic();
    reservation.sent();
    const { answer, abortReason } = await call(claim, lane, reservation, stopping, dependencies);

    // Classify.
    const outcome = classify(answer, abortReason, clock.now(), claim.endpoint);
    const tookMs = clock.monotonic() - startedMs;
    heard = outcome.kind;
    dependencies.onOutcome?.(lane.laneId, outcome.kind, tookMs, {
      endpoint: claim.endpoint,
      outputTokens: outcome.kind === 'succeeded' ? (outcome.usage?.outputTokens ?? null) : null,
    });
    const before = factsOf(outcome, claim, {
      lane,
      reservation,
      tookMs,
      random: dependencies.random(),
    });
    const facts = outcome.kind === 'retryable' ? await tellFailure(outcome, before, lane) : before;
    reservation.heard(outcome, answer, !isOwnFault(outcome, facts));

    // Decide.
    const step = decide(outcome, facts, dependencies.configuration.retry);
    if (outcome.kind !== 'succeeded') {
      logger.debug(
        { jobId, laneId: lane.laneId, attempt: claim.attempt, outcome: outcome.kind },
        `attempt.${outcome.kind}`,
      );
    }

    // Record.
    if (step.kind === 'release' && step.lane !== null)
      await lane.report(step.lane, reservation, jobId);
    const recorded = record(
      await keepLargeAnswer(step, claim, dependencies),
      claim,
      lane,
      dependencies,
    );
    if (step.kind !== 'settle') return await recorded;
    // The slot is the next call's now: that one begins on record behind this result, in the same write at the earliest.
    const [end] = await Promise.all([recorded, reservation.end(heard)]);
    return end;
  } finally {
    await reservation.end(heard);
  }
}

async function call(
  claim: Claim,
  lane: LaneAccess,
  reservation: Reservation,
  stopping: AbortSignal,
  dependencies: AttemptDependencies,
) {
  const { inFlight, configuration, clock } = dependencies;
  let abortReason: AbortReason | null = null;
  const controller = new AbortController();
  const abort = (reason: AbortReason): void => {
    abortReason ??= reason;
    controller.abort();
  };
  if (stopping.aborted) abort('handed_off');
  const expiresInMs = claim.expiresAtMs === null ? Infinity : claim.expiresAtMs - claim.nowMs;
  const timeoutMs = Math.min(
    configuration.retry.attemptTimeoutMs,
    reservation.timeoutMs ?? Infinity,
  );
  const timer = setTimeout(
    () => abort(expiresInMs < timeoutMs ? 'withdrawn' : 'timed_out'),
    Math.max(0, Math.min(timeoutMs, expiresInMs, 2 ** 31 - 1)),
  );
  const startedMs = clock.monotonic();
  const forget = inFlight.add({
    claim,
    laneId: lane.laneId,
    startedMs,
    abort,
    park: reservation.park,
  });
  try {
    const answer = await lane.provider.call({
      endpoint: claim.endpoint,
      body: claim.body,
      clientRequestId: `${claim.jobId}.${claim.attempt}`,
      signal: controller.signal,
    });
    return { answer, abortReason: abortReason as AbortReason | null };
  } finally {
    forget();
    clearTimeout(timer);
  }
}

/** Gathers the facts for the decision once a call has come back. */
function factsOf(
  outcome: Outcome,
  claim: Claim,
  {
    lane,
    reservation,
    tookMs,
    random,
  }: { lane: LaneAccess; reservation: Reservation; tookMs: number; random: number },
): AttemptFacts {
  const { standing, nowMs: sentAtMs } = claim;
  const times = { sentAtMs, endedAtMs: sentAtMs + tookMs, tookMs };
  return {
    jobId: claim.jobId,
    charged: claim.attempt - claim.rescues,
    maxAttempts: claim.maxAttempts,
    elapsedMs: sentAtMs - claim.firstAttemptAtMs + tookMs,
    random,
    sentAtMs,
    isProbe: reservation.isProbe,
    standing,
    lane: lane.heard(outcome, times, standing.refusals === 0),
  };
}

/** Reports a failure to the fleet, which may open the lane's breaker; resolves to the facts after that. */
async function tellFailure(
  outcome: Extract<Outcome, { kind: 'retryable' }>,
  facts: AttemptFacts,
  lane: LaneAccess,
): Promise<AttemptFacts> {
  let kind: 'trial' | 'known' | 'call' = 'call';
  if (facts.isProbe && facts.lane.isUnreachable) kind = 'trial';
  else if (isKnownToFail(outcome, facts)) kind = 'known';
  return { ...facts, lane: await lane.failed(kind, outcome.message) };
}

/** True when the outcome is due to the request or to an outage: it says nothing about the lane's limits. */
function isOwnFault(outcome: Outcome, facts: AttemptFacts): boolean {
  if (outcome.kind === 'rate_limited') return isOwnRefusal(facts);
  return (
    outcome.kind === 'retryable' && (facts.lane.isUnreachable || isKnownToFail(outcome, facts))
  );
}

/** Runs while the slot is held, so that answers being written cannot outnumber the slots. */
async function keepLargeAnswer(
  step: NextStep,
  claim: Claim,
  { keepAnswer }: AttemptDependencies,
): Promise<NextStep> {
  if (step.kind !== 'settle') return step;
  const { settlement } = step;
  return {
    ...step,
    settlement: { ...settlement, response: await keepAnswer(claim, settlement.response) },
  };
}

async function record(
  step: NextStep,
  claim: Claim,
  lane: LaneAccess,
  { attempts, configuration, logger }: AttemptDependencies,
): Promise<DeliveryEnd> {
  switch (step.kind) {
    case 'drop':
      return 'finished';
    case 'settle': {
      const { settlement } = step;
      const cost = costUsd(findPrice(configuration.prices, lane.model), settlement.usage);
      // Recorded before the delivery is finished: a crash in between hands out a settled job, and nothing happens.
      const result = await attempts.settle(claim, { ...settlement, costUsd: cost });
      if (result === 'lost')
        logger.debug(
          { jobId: claim.jobId, laneId: lane.laneId, attempt: claim.attempt },
          'attempt.result_refused',
        );
      return 'finished';
    }
    case 'release': {
      const result = await attempts.release(claim, step.release);
      // With a delay the outbox brings the job back under a new delivery; this one has done its work.
      return result === 'released' && step.release.delayMs === null ? 'back_to_head' : 'finished';
    }
  }
}
