import { WaitingError, Worker, type Job } from 'bullmq';
import { z } from 'zod';
import { laneQueueOptions, type DeliveryData } from '@nightshift/shared/bullmq';
import {
  parseDeliveryId,
  priorities,
  type Priority,
  type TokenCounts,
} from '@nightshift/shared/job';
import type { Lane, LaneSnapshot } from '@nightshift/shared/lane';
import type {
  Keys,
  LaneCalls,
  LaneNote,
  LaneStore,
  RedisConnection,
} from '@nightshift/shared/redis';
import type { Outcome } from '../attempt/outcome.ts';
import {
  runAttempt,
  type AttemptDependencies,
  type DeliveryEnd,
  type LaneAccess,
  type Reservation,
} from '../attempt/run-attempt.ts';
import { SHORT_WAIT_MS, type LanePacer } from '../pacing/lane-pacer.ts';
import type { TokenNeeds } from '../pacing/token-needs.ts';
import type { Provider } from '../provider/index.ts';
import { createIntake, type DeliveryStage, type Intake } from './intake.ts';
import { createLaneBreaker } from './lane-breaker.ts';
import { createLaneDiary } from './lane-diary.ts';
import { createLaneGate } from './lane-gate.ts';
import type { CredentialHealth } from './lane-health.ts';
import { createReservation } from './reservation.ts';
import { createSlowStart } from './slow-start.ts';
import type { Slots } from './slots.ts';

/**
 * A lock outlives a Redis outage of 20 s: renewed every 2 s at the latest, it has 22 s left when Redis goes, and the
 * reconnect takes up to one. A dead machine's jobs are running again after the lock and two checks: 24 + 2 × 1.5 s.
 * (A dead process's are handed back at once by its rescuer.)
 */
const LOCK = { lockDuration: 24_000, lockRenewTime: 2000, stalledInterval: 1500 };

/** After a trial's time limit, its worker has this long to report the result before another worker may try. */
const TRIAL_RECORDED_MS = 5000;

/** A reader whose jobs end all the time looks by itself; one with long calls is woken this often at most. */
const WAKE_MS = 250;

const tokenCounts = z.tuple([z.number(), z.number().nullable(), z.number()]);
const deliveryData = z.object({
  v: z.literal(1),
  tenant: z.string(),
  tokens: tokenCounts.optional(),
  bundle: z.array(z.tuple([z.string(), tokenCounts.nullable()])).optional(),
});

export interface LaneWorkerOptions {
  lane: Lane;
  provider: Provider;
  redis: RedisConnection;
  keys: Keys;
  lanes: LaneStore;
  pacer: LanePacer;
  needs: TokenNeeds;
  slots: Slots;
  /** Shared by the lanes of a credential. */
  credential: CredentialHealth;
  stopping: AbortSignal;
  attempt: AttemptDependencies;
  /** The BullMQ worker that reads a queue holds its jobs under this id. */
  onReading: (priority: Priority, bullWorkerId: string) => void;
}

/** Reads the two queues of one lane, while its gate is open, and runs what it takes. */
export interface LaneWorker {
  readonly lane: Lane;
  /** Applies the lane's state from Redis. */
  update(snapshot: LaneSnapshot): void;
  /** Call every few seconds: reports pending successes, and detects that no call comes back. */
  watch(): Promise<void>;
  /** Shares the process's free slots out anew. */
  rebalance(): void;
  /** Calls and refusals since the last time. */
  takeCalls(): LaneCalls;
  /** What to add to the lane's history; null when there is nothing. */
  takeNote(): LaneNote | null;
  /** Takes and calls no more; what is called comes back. */
  pause(): void;
  close(): Promise<void>;
}

/** A delivery that was taken from its queue. */
interface Taken {
  readonly priority: Priority;
  readonly tokens: TokenCounts | null;
  readonly move: (stage: DeliveryStage) => void;
}

export function createLaneWorker(options: LaneWorkerOptions): LaneWorker {
  const { lane, provider, lanes, pacer, needs, slots, stopping, attempt } = options;
  const { clock, logger } = attempt;
  const gate = createLaneGate(clock, stopping);
  /** Before it stops: calls in flight come back, and no other is made. */
  const leaving = new AbortController();
  const takeSlot = slots.until(leaving.signal);
  const intakes: Record<Priority, Intake> = {
    interactive: createIntake(clock, slots.total),
    bulk: createIntake(clock, slots.total),
  };
  const slowStart = createSlowStart(slots.total);
  const breaker = createLaneBreaker({
    ...{ laneId: lane.id, lanes, gate, slowStart, clock, logger },
    ...{ credential: options.credential, inFlight: attempt.inFlight, random: attempt.random },
    atWork: () => intakes.interactive.entries + intakes.bulk.entries,
  });
  /** How many entries each reader held when this process took the probe: it may take one more. */
  let beforeProbe: Record<Priority, number> | null = null;
  const wakeAtMs: Record<Priority, number> = { interactive: 0, bulk: 0 };
  let calls: LaneCalls = { calls: 0, refused: 0 };
  const diary = createLaneDiary(clock);
  let timer: NodeJS.Timeout | undefined;
  /** The probe's call was refused, and the lane was paused again. */
  let isPausedAgain = false;

  const reserve = async (delivery: Taken): Promise<Reservation | 'not_now'> => {
    const { priority, tokens, move } = delivery;
    for (;;) {
      if (leaving.signal.aborted) return 'not_now';
      const admission = await gate.admit();
      if (admission.kind === 'not_now') return 'not_now';
      if (admission.isProbe) return probeWith(delivery);
      const leaveStart = await slowStart.enter(leaving.signal);
      if (leaveStart === null) continue;
      let outcomeOfCall: Outcome['kind'] | null = null;
      let release: () => void;
      try {
        const releaseSlot = await takeSlot(priority);
        let isReleased = false;
        release = () => {
          if (isReleased) return;
          isReleased = true;
          releaseSlot();
          leaveStart(outcomeOfCall === 'succeeded' ? 'succeeded' : 'other');
        };
      } catch {
        leaveStart('other');
        return 'not_now';
      }
      move('in_slot');
      // Waits in the slot: at its date the call is made at once.
      const pass =
        gate.closed === null ? await pacer.acquire(priority, needs.of(tokens)) : 'closed';
      if (pass === 'not_now') {
        release();
        return 'not_now';
      }
      if (pass !== 'closed' && gate.closed === null) {
        return createReservation({
          ...{ pass, tokens, isProbe: false, timeoutMs: null, pacer, needs, clock },
          onPark: release,
          onEnd: async (outcome) => {
            outcomeOfCall = outcome;
            move('recording');
            release();
          },
        });
      }
      // It closed while the job waited.
      if (pass !== 'closed') pacer.giveBack(pass);
      move('waiting');
      release();
    }
  };

  /** The probe needs no slot, because calls that hang may hold all of them. */
  const probeWith = ({ priority, tokens, move }: Taken): Reservation => {
    const pass = pacer.passFreely(priority);
    const { trialTimeoutMs: timeoutMs } = breaker;
    move('in_slot');
    return createReservation({
      ...{ pass, tokens, isProbe: true, timeoutMs, pacer, needs, clock },
      onPark: () => {},
      onEnd: async (outcome) => {
        move('recording');
        await endProbe(outcome, timeoutMs !== null);
      },
    });
  };

  const endProbe = async (outcome: Outcome['kind'] | null, isTrial: boolean): Promise<void> => {
    const wasPaused = isPausedAgain;
    isPausedAgain = false;
    switch (outcome) {
      case 'succeeded':
      case 'rejected':
      case 'rate_limited':
        // Whatever it said, it took the credential.
        if (isTrial) await breaker.trialAnswered();
        else breaker.take(await lanes.openAfterProbe(lane.id));
        return;
      case 'lane_refused':
        if (isTrial) await breaker.trialAnswered();
        // The provider refused the request, not the lane: the next job is the probe.
        if (wasPaused || isTrial) gate.endProbe();
        else gate.startProbe();
        return;
      case null:
        // The job had been settled meanwhile; the next one is the probe.
        gate.startProbe();
        return;
      case 'retryable':
      case 'aborted':
        gate.endProbe();
    }
  };

  const access = (delivery: Taken): LaneAccess => ({
    laneId: lane.id,
    model: lane.model,
    provider,
    reserve: async () => reserve(delivery),
    get openedRuns() {
      return breaker.openedRuns;
    },
    heard: breaker.heard,
    failed: breaker.failed,
    report: async (news, { isProbe }, jobId) => {
      calls.refused += 1;
      if (news.kind === 'cool') {
        breaker.take(await lanes.cool(lane.id, news.retryAfterMs, attempt.random()));
        return;
      }
      const { reason, message } = news;
      isPausedAgain ||= isProbe;
      breaker.take(await lanes.pauseForProvider(lane.id, reason, message, isProbe, jobId));
    },
  });

  /** A bundle goes back to its queue as a whole: those of it that are over are passed by when it is taken again. */
  const run = async (job: Job<DeliveryData>, priority: Priority): Promise<DeliveryEnd> => {
    const intake = intakes[priority];
    const isOver = intake.takeEntry();
    try {
      const {
        tenant,
        tokens = null,
        bundle = [[job.id ?? '', tokens]],
      } = deliveryData.parse(job.data);
      const isLimitOld = intake.learnSize(bundle.length);
      const all = Promise.all(
        bundle.map(async ([id, tokensOfOne]) => runOne(tenant, id, tokensOfOne, priority)),
      );
      if (isLimitOld) rebalance();
      const ends = await all;
      return ends.every((end) => end === 'finished') ? 'finished' : 'back_to_head';
    } catch (error) {
      return await broke(job.id, error);
    } finally {
      isOver();
    }
  };
  const runOne = async (
    tenant: string,
    id: string,
    tokens: TokenCounts | null,
    priority: Priority,
  ): Promise<DeliveryEnd> => {
    const move = intakes[priority].takeDelivery();
    try {
      return await runAttempt(
        { tenant, ...parseDeliveryId(id) },
        access({ priority, tokens, move }),
        stopping,
        {
          ...attempt,
          onOutcome: (laneId, outcome, durationMs, answer) => {
            calls.calls += 1;
            diary.add({ outcome, ...answer, choices: tokens?.[2] ?? 1 });
            attempt.onOutcome?.(laneId, outcome, durationMs, answer);
          },
        },
      );
    } catch (error) {
      return await broke(id, error);
    } finally {
      move('over');
    }
  };
  /** A defect: the delivery goes round again, and the record counts how often its worker gave up on it. */
  const broke = async (delivery: string | undefined, error: unknown): Promise<DeliveryEnd> => {
    logger.error({ err: error, delivery, laneId: lane.id }, 'attempt.broke');
    await clock.sleep(1000, stopping).catch(() => undefined);
    return 'back_to_head';
  };

  const readers = priorities.map((priority) => {
    const worker = new Worker<DeliveryData>(
      priority,
      async (job, token) => {
        if ((await run(job, priority)) === 'finished') return null;
        // To the head of its queue. When the lock was lost meanwhile the job is somebody else's already.
        await job.moveToWait(token).catch((error: unknown) => {
          logger.debug(
            { delivery: job.id, laneId: lane.id, reason: (error as Error).message },
            'delivery.not_returned',
          );
        });
        throw new WaitingError();
      },
      {
        ...laneQueueOptions(options.keys, lane.id, options.redis),
        ...LOCK,
        // Until the first `rebalance`.
        concurrency: 1,
        // A record counts its own rescues; BullMQ must never fail a job by itself.
        maxStalledCount: 1_000_000_000,
        runRetryDelay: 500,
        removeOnComplete: { count: 0 },
        removeOnFail: { count: 0 },
      },
    );
    worker.on('error', (error) => {
      logger.debug({ laneId: lane.id, reason: error.message }, 'queue.error');
    });
    worker.on('stalled', (delivery) => {
      logger.debug({ laneId: lane.id, delivery }, 'delivery.stalled');
    });
    options.onReading(priority, worker.id);
    return { priority, worker };
  });

  /** Reads the queues while the lane may be called; at the right time tries one that the provider closed. */
  const follow = (): void => {
    clearTimeout(timer);
    if (stopping.aborted) return;
    const { closed } = gate;
    let nextMs = Infinity;
    for (const { priority, worker } of readers) {
      // While the lane is open one priority may still have to wait for its budget.
      const untilMs = closed === null ? pacer.closedUntil(priority) : null;
      const mayRead = closed === null && untilMs === null;
      if (!mayRead && !worker.isPaused()) void worker.pause(true);
      if (mayRead && worker.isPaused()) void worker.resume();
      // A little early: what is taken then waits here for its date.
      if (untilMs !== null) nextMs = Math.min(nextMs, untilMs - SHORT_WAIT_MS);
    }
    rebalance();
    if (closed?.probeDue === true) void tryProbe();
    else if (closed !== null && closed.untilMs !== null) nextMs = closed.untilMs;
    if (nextMs === Infinity) return;
    timer = setTimeout(follow, Math.min(Math.max(1, nextMs - clock.monotonic()), 2 ** 31 - 1));
  };
  const tryProbe = async (): Promise<void> => {
    const { trialTimeoutMs: timeoutMs } = breaker;
    const isTaken = await (timeoutMs === null
      ? lanes.takeProbe(lane.id)
      : lanes.takeProbe(lane.id, timeoutMs + TRIAL_RECORDED_MS));
    if (isTaken) {
      logger.debug({ laneId: lane.id }, 'lane.probing');
      beforeProbe = { interactive: intakes.interactive.entries, bulk: intakes.bulk.entries };
      gate.startProbe();
    } else if (!stopping.aborted) {
      timer = setTimeout(follow, 1000);
    }
  };
  gate.onChange(() => {
    // Reservations made before a cool-down would all be used at its end.
    if (gate.isHolding) pacer.recall();
    follow();
  });
  pacer.onChange(follow);

  /** BullMQ reads a higher concurrency only when one of its jobs ends, so a reader at its limit must be woken. */
  const rebalance = (): void => {
    for (const { priority, worker } of readers) {
      const intake = intakes[priority];
      const room = Math.min(slots.free(priority), pacer.room(priority), slowStart.room);
      const limit =
        gate.probing && beforeProbe !== null ? beforeProbe[priority] + 1 : intake.limit(room);
      const stoodAtLimit = intake.entries >= worker.concurrency && limit > worker.concurrency;
      worker.concurrency = limit;
      if (stoodAtLimit && !worker.isPaused() && clock.monotonic() >= wakeAtMs[priority]) {
        wakeAtMs[priority] = clock.monotonic() + WAKE_MS;
        void worker.pause(true);
        void worker.resume();
      }
    }
  };

  rebalance();

  return {
    lane,
    update: (snapshot) => {
      breaker.take(snapshot);
      pacer.refresh();
    },
    watch: breaker.watch,
    rebalance,
    takeCalls: () => {
      const now = calls;
      calls = { calls: 0, refused: 0 };
      return now;
    },
    takeNote: diary.take,
    pause: () => {
      leaving.abort(new Error('the worker stops'));
      clearTimeout(timer);
      for (const { worker } of readers) void worker.pause(true);
    },
    close: async () => {
      clearTimeout(timer);
      await pacer.close();
      await Promise.all(readers.map(async ({ worker }) => worker.close()));
    },
  };
}
