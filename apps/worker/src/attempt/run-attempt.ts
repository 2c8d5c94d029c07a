import type { Configuration } from '@nightshift/shared/config';
import type { Clock } from '@nightshift/shared/clock';
import type { AttemptStore, Claim } from '@nightshift/shared/redis';
import type { Logger } from '@nightshift/shared/telemetry';
import { costUsd, findPrice } from '@nightshift/shared/usage';
import type { Provider, ProviderAnswer } from '../provider/index.ts';
import { classify } from './classify.ts';
import { decide, type LaneNews, type NextStep } from './decide.ts';
import type { InFlight } from './in-flight.ts';
import type { AbortReason, Outcome } from './outcome.ts';

/** What the attempt asks of its lane. */
export interface LaneAccess {
  readonly laneId: string;
  readonly model: string;
  readonly provider: Provider;
  /** Waits until the lane may be called and a slot is free; `not_now` when that takes longer than a moment. */
  reserve(): Promise<Reservation | 'not_now'>;
  /** Tells the lane, and with it the fleet, what the provider said. */
  report(news: LaneNews, reservation: Reservation): Promise<void>;
}

export interface Reservation {
  /** The one call that tries a paused lane. */
  isProbe: boolean;
  /** The call is about to be made. */
  sent(): void;
  /** The call is over: the lane's budget learns from it. */
  heard(outcome: Outcome, answer: ProviderAnswer): void;
  /** Gives back what was reserved and not used, and the slot, once; the outcome says whether the lane was heard. */
  end(outcome: Outcome['kind'] | null): Promise<void>;
}

export interface AttemptDependencies {
  attempts: AttemptStore;
  inFlight: InFlight;
  configuration: Pick<Configuration, 'retry' | 'prices'>;
  clock: Clock;
  random: () => number;
  workerId: string;
  logger: Logger;
  onOutcome?: (laneId: string, outcome: Outcome['kind'], durationMs: number) => void;
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
    const begun = await attempts.begin(tenant, jobId, delivery, claimId, dependencies.workerId);
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
    const { answer, abortReason } = await call(claim, lane, stopping, dependencies);

    // Classify.
    const outcome = classify(answer, abortReason, clock.now());
    heard = outcome.kind;
    reservation.heard(outcome, answer);
    dependencies.onOutcome?.(lane.laneId, outcome.kind, clock.monotonic() - startedMs);

    // Decide.
    const step = decide(
      outcome,
      factsOf(claim, clock.monotonic() - startedMs, dependencies.random()),
      dependencies.configuration.retry,
    );
    if (outcome.kind !== 'succeeded') {
      logger.debug(
        { jobId, laneId: lane.laneId, attempt: claim.attempt, outcome: outcome.kind },
        `attempt.${outcome.kind}`,
      );
    }

    // Record.
    if (step.kind === 'release' && step.lane !== null) await lane.report(step.lane, reservation);
    const recorded = record(step, claim, lane, dependencies);
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
  stopping: AbortSignal,
  dependencies: AttemptDependencies,
) {
  const { inFlight, configuration } = dependencies;
  let abortReason: AbortReason | null = null;
  const controller = new AbortController();
  const abort = (reason: AbortReason): void => {
    abortReason ??= reason;
    controller.abort();
  };
  if (stopping.aborted) abort('handed_off');
  const expiresInMs = claim.expiresAtMs === null ? Infinity : claim.expiresAtMs - claim.nowMs;
  const timeoutMs = configuration.retry.attemptTimeoutMs;
  const timer = setTimeout(
    () => abort(expiresInMs < timeoutMs ? 'withdrawn' : 'timed_out'),
    Math.max(0, Math.min(timeoutMs, expiresInMs, 2 ** 31 - 1)),
  );
  const forget = inFlight.add(claim, abort);
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

function factsOf(claim: Claim, tookMs: number, random: number) {
  return {
    charged: claim.attempt - claim.rescues,
    maxAttempts: claim.maxAttempts,
    elapsedMs: claim.nowMs - claim.firstAttemptAtMs + tookMs,
    random,
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
