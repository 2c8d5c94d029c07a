import { WaitingError, Worker, type Job } from 'bullmq';
import { z } from 'zod';
import { laneQueueOptions, type DeliveryData } from '@nightshift/shared/bullmq';
import {
  MOST_IN_BUNDLE,
  parseDeliveryId,
  priorities,
  type Priority,
  type TokenCounts,
} from '@nightshift/shared/job';
import type { Lane, LaneState } from '@nightshift/shared/lane';
import type { Keys, LaneCalls, LaneStore, RedisConnection } from '@nightshift/shared/redis';
import type { Outcome } from '../attempt/outcome.ts';
import {
  runAttempt,
  type AttemptDependencies,
  type DeliveryEnd,
  type LaneAccess,
  type Reservation,
} from '../attempt/run-attempt.ts';
import { SHORT_WAIT_MS, type LanePacer, type Pass } from '../pacing/lane-pacer.ts';
import type { TokenNeeds } from '../pacing/token-needs.ts';
import type { Provider, ProviderAnswer } from '../provider/index.ts';
import { createLaneGate } from './lane-gate.ts';
import { createMeanCount, type MeanCount } from './mean-count.ts';
import type { Slots } from './slots.ts';

/**
 * A lock outlives a Redis outage of 20 s: renewed every 2 s at the latest, it has 22 s left when Redis goes, and the
 * reconnect takes up to one. A dead machine's jobs are running again after the lock and two checks: 24 + 2 × 1.5 s.
 * (A dead process's are handed back at once by its rescuer.)
 */
const LOCK = { lockDuration: 24_000, lockRenewTime: 2000, stalledInterval: 1500 };

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
  stopping: AbortSignal;
  attempt: AttemptDependencies;
  /** The BullMQ worker that reads a queue holds its jobs under this id. */
  onReading: (priority: Priority, bullWorkerId: string) => void;
}

/** Reads the two queues of one lane, while its gate is open, and runs what it takes. */
export interface LaneWorker {
  readonly lane: Lane;
  update(state: LaneState): void;
  /** Shares the process's free slots out anew. */
  rebalance(): void;
  /** Calls and refusals since the last time. */
  takeCalls(): LaneCalls;
  /** Takes and calls no more; what is called comes back. */
  pause(): void;
  close(): Promise<void>;
}

/** A delivery that was taken from its queue. `recording`: its slot is the next one's, and its result is on its way. */
interface Taken {
  readonly priority: Priority;
  readonly tokens: TokenCounts | null;
  stage: 'waiting' | 'in_slot' | 'recording' | 'over';
}

export function createLaneWorker(options: LaneWorkerOptions): LaneWorker {
  const { lane, provider, lanes, pacer, needs, slots, stopping, attempt } = options;
  const { clock, logger } = attempt;
  const gate = createLaneGate(clock, stopping);
  /** Before it stops: calls in flight come back, and no other is made. */
  const leaving = new AbortController();
  const takeSlot = slots.until(leaving.signal);
  /** Entries of its queue that are not over, and those of the deliveries in them that have no slot. */
  const taken: Record<Priority, number> = { interactive: 0, bulk: 0 };
  const waiting: Record<Priority, number> = { interactive: 0, bulk: 0 };
  const recording: Record<Priority, MeanCount> = {
    interactive: createMeanCount(clock),
    bulk: createMeanCount(clock),
  };
  /** How many deliveries the last entry held. */
  const lastSizes: Record<Priority, number> = { interactive: 1, bulk: 1 };
  // Several entries are fetched before the first is looked at, and they differ in size: until smaller ones have come for
  // a while, the next is reckoned to be the largest of the last, and the first to be the largest that there is.
  const bundleSizes: Record<Priority, number> = {
    interactive: MOST_IN_BUNDLE,
    bulk: MOST_IN_BUNDLE,
  };
  const wakeAtMs: Record<Priority, number> = { interactive: 0, bulk: 0 };
  let calls: LaneCalls = { calls: 0, refused: 0 };
  let timer: NodeJS.Timeout | undefined;

  const move = (delivery: Taken, stage: Taken['stage']): void => {
    const { priority, stage: before } = delivery;
    delivery.stage = stage;
    if (before === 'waiting') waiting[priority] -= 1;
    if (stage === 'waiting') waiting[priority] += 1;
    if (before === 'recording') recording[priority].change(-1);
    if (stage === 'recording') recording[priority].change(1);
  };
  const reserve = async (delivery: Taken): Promise<Reservation | 'not_now'> => {
    const { priority, tokens } = delivery;
    for (;;) {
      if (leaving.signal.aborted) return 'not_now';
      const admission = await gate.admit();
      if (admission.kind === 'not_now') return 'not_now';
      let release: () => void;
      try {
        release = await takeSlot(priority);
      } catch {
        if (admission.isProbe) gate.endProbe();
        return 'not_now';
      }
      move(delivery, 'in_slot');
      const letGo = (): void => {
        move(delivery, 'recording');
        release();
      };
      if (admission.isProbe) return reservation(pacer.passFreely(priority), letGo, true, tokens);
      // Waits in the slot: at its date the call is made at once.
      const pass =
        gate.closed === null ? await pacer.acquire(priority, needs.of(tokens)) : 'closed';
      if (pass === 'not_now') {
        release();
        return 'not_now';
      }
      if (pass !== 'closed' && gate.closed === null) {
        return reservation(pass, letGo, false, tokens);
      }
      // It closed while the job waited.
      if (pass !== 'closed') pacer.giveBack(pass);
      move(delivery, 'waiting');
      release();
    }
  };

  const reservation = (
    pass: Pass,
    letGo: () => void,
    isProbe: boolean,
    tokens: TokenCounts | null,
  ): Reservation => {
    let sentMs: number | null = null;
    let isOver = false;
    let isEnded = false;
    const over = (outcome: Outcome | null, answer: ProviderAnswer | null): void => {
      if (isOver) return;
      isOver = true;
      if (sentMs === null) pacer.giveBack(pass);
      else
        pacer.ended({
          pass,
          sentMs,
          tookMs: clock.monotonic() - sentMs,
          ...lessonOf(outcome, answer),
        });
    };
    return {
      isProbe,
      sent: () => {
        sentMs = clock.monotonic();
        pacer.sent(pass);
      },
      heard: (outcome, answer) => {
        if (outcome.kind === 'succeeded' && outcome.usage !== null)
          needs.learn(tokens, outcome.usage);
        over(outcome, answer);
      },
      end: async (outcome) => {
        if (isEnded) return;
        isEnded = true;
        over(null, null);
        letGo();
        if (isProbe) await endProbe(outcome);
      },
    };
  };

  const endProbe = async (outcome: Outcome['kind'] | null): Promise<void> => {
    switch (outcome) {
      case 'succeeded':
      case 'rejected':
      case 'rate_limited':
        // Whatever it said, it took the credential.
        gate.update(await lanes.openAfterProbe(lane.id));
        return;
      case null:
        // The job had been settled meanwhile; the next one is the probe.
        gate.startProbe();
        return;
      case 'retryable':
      case 'aborted':
      case 'lane_refused':
        gate.endProbe();
    }
  };

  const access = (delivery: Taken): LaneAccess => ({
    laneId: lane.id,
    model: lane.model,
    provider,
    reserve: async () => reserve(delivery),
    report: async (news, { isProbe }) => {
      calls.refused += 1;
      const state =
        news.kind === 'cool'
          ? await lanes.cool(lane.id, news.retryAfterMs, attempt.random())
          : await lanes.pauseForProvider(lane.id, news.reason, news.message, isProbe);
      gate.update(state);
    },
  });

  /** A bundle goes back to its queue as a whole: those of it that are over are passed by when it is taken again. */
  const run = async (job: Job<DeliveryData>, priority: Priority): Promise<DeliveryEnd> => {
    taken[priority] += 1;
    try {
      const {
        tenant,
        tokens = null,
        bundle = [[job.id ?? '', tokens]],
      } = deliveryData.parse(job.data);
      const isAsExpected = bundle.length === 1 && bundleSizes[priority] === 1;
      lastSizes[priority] = bundle.length;
      bundleSizes[priority] = Math.max(bundle.length, bundleSizes[priority] - 1);
      const all = Promise.all(
        bundle.map(async ([id, tokensOfOne]) => runOne(tenant, id, tokensOfOne, priority)),
      );
      if (!isAsExpected) rebalance();
      const ends = await all;
      return ends.every((end) => end === 'finished') ? 'finished' : 'back_to_head';
    } catch (error) {
      return await broke(job.id, error);
    } finally {
      taken[priority] -= 1;
    }
  };
  const runOne = async (
    tenant: string,
    id: string,
    tokens: TokenCounts | null,
    priority: Priority,
  ): Promise<DeliveryEnd> => {
    const delivery: Taken = { priority, tokens, stage: 'over' };
    move(delivery, 'waiting');
    try {
      return await runAttempt({ tenant, ...parseDeliveryId(id) }, access(delivery), stopping, {
        ...attempt,
        onOutcome: (laneId, outcome, durationMs) => {
          calls.calls += 1;
          attempt.onOutcome?.(laneId, outcome, durationMs);
        },
      });
    } catch (error) {
      return await broke(id, error);
    } finally {
      move(delivery, 'over');
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
          logger.warn(
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
      logger.warn({ laneId: lane.id, delivery }, 'delivery.stalled');
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
    if (await lanes.takeProbe(lane.id)) {
      logger.info({ laneId: lane.id }, 'lane.probing');
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

  /**
   * Each reader may take as many as slots are free: what is taken beyond that would wait here while another process could
   * have run it. What is being recorded has no slot and counts nevertheless, since BullMQ fetches the next one for it when it
   * is over; what is recorded at a time in the mean is taken in addition, for the slots that are free until then. Of bundles
   * one more, since the calls of one do not end all at once, and two where that is no more than half of the slots: the next
   * is a round trip away.
   * BullMQ looks at a higher number only when one of its jobs ends, so a reader that stood at its limit is woken.
   */
  const rebalance = (): void => {
    for (const { priority, worker } of readers) {
      const room = Math.min(slots.free(priority), pacer.room(priority));
      const { now, mean } = recording[priority];
      const oneMore = lastSizes[priority] - 1;
      const ahead = Math.max(oneMore, Math.min(2 * oneMore, Math.floor(slots.total / 2)));
      const spare = room - waiting[priority] - now + Math.floor(mean) + ahead;
      const entries = Math.ceil(spare / bundleSizes[priority]);
      const limit = gate.probing ? 1 : Math.max(1, taken[priority] + entries);
      const stoodAtLimit = taken[priority] >= worker.concurrency && limit > worker.concurrency;
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
    update: (state) => {
      gate.update(state);
      pacer.refresh();
    },
    rebalance,
    takeCalls: () => {
      const now = calls;
      calls = { calls: 0, refused: 0 };
      return now;
    },
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

/** What the budget learns from a call. */
function lessonOf(outcome: Outcome | null, answer: ProviderAnswer | null) {
  const headers = answer?.kind === 'answered' ? answer.headers : null;
  const status = answer?.kind === 'answered' ? answer.status : null;
  const usage = outcome?.kind === 'succeeded' ? outcome.usage : null;
  const isRefused = outcome?.kind === 'rate_limited';
  const isLate = outcome?.kind === 'retryable' && outcome.code === 'request_timeout';
  return {
    headers,
    refused: isRefused,
    overloaded: isRefused || isLate || status === 503 || status === 529,
    succeeded: outcome?.kind === 'succeeded',
    usedTokens: usage?.totalTokens ?? null,
    outputTokens: usage?.outputTokens ?? 0,
  };
}
