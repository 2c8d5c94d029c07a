import { WaitingError, Worker, type Job } from 'bullmq';
import { z } from 'zod';
import { laneQueueOptions, type DeliveryData } from '@nightshift/shared/bullmq';
import { parseDeliveryId, priorities, type Priority } from '@nightshift/shared/job';
import type { Lane, LaneState } from '@nightshift/shared/lane';
import type { Keys, LaneCalls, LaneStore, RedisConnection } from '@nightshift/shared/redis';
import type { Outcome } from '../attempt/outcome.ts';
import {
  runAttempt,
  type AttemptDependencies,
  type LaneAccess,
  type Reservation,
} from '../attempt/run-attempt.ts';
import type { Provider } from '../provider/index.ts';
import { createLaneGate } from './lane-gate.ts';
import type { Slots } from './slots.ts';

/**
 * A lock outlives a Redis outage of 20 s: renewed every 2 s at the latest, it has 22 s left when Redis goes, and the
 * reconnect takes up to one. A dead machine's jobs are running again after the lock and two checks: 24 + 2 × 1.5 s.
 * (A dead process's are handed back at once by its rescuer.)
 */
const LOCK = { lockDuration: 24_000, lockRenewTime: 2000, stalledInterval: 1500 };

/** A reader whose jobs end all the time looks by itself; one with long calls is woken this often at most. */
const WAKE_MS = 250;

const deliveryData = z.object({ v: z.literal(1), tenant: z.string() });

export interface LaneWorkerOptions {
  lane: Lane;
  provider: Provider;
  redis: RedisConnection;
  keys: Keys;
  lanes: LaneStore;
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
  pause(): void;
  close(): Promise<void>;
}

export function createLaneWorker(options: LaneWorkerOptions): LaneWorker {
  const { lane, provider, lanes, slots, stopping, attempt } = options;
  const { clock, logger } = attempt;
  const gate = createLaneGate(clock, stopping);
  const held: Record<Priority, number> = { interactive: 0, bulk: 0 };
  const taken: Record<Priority, number> = { interactive: 0, bulk: 0 };
  const wakeAtMs: Record<Priority, number> = { interactive: 0, bulk: 0 };
  let calls: LaneCalls = { calls: 0, refused: 0 };
  let timer: NodeJS.Timeout | undefined;

  const reserve = async (priority: Priority): Promise<Reservation | 'not_now'> => {
    for (;;) {
      const admission = await gate.admit();
      if (admission.kind === 'not_now') return 'not_now';
      let release: () => void;
      try {
        release = await slots.take(priority, stopping);
      } catch {
        if (admission.isProbe) gate.endProbe();
        return 'not_now';
      }
      if (!admission.isProbe && gate.closed !== null) {
        // It closed while the job waited for its slot.
        release();
        continue;
      }
      held[priority] += 1;
      const end = async (outcome: Outcome['kind'] | null): Promise<void> => {
        held[priority] -= 1;
        release();
        if (admission.isProbe) await endProbe(outcome);
      };
      return { isProbe: admission.isProbe, end };
    }
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

  const access = (priority: Priority): LaneAccess => ({
    laneId: lane.id,
    model: lane.model,
    provider,
    reserve: async () => reserve(priority),
    report: async (news, { isProbe }) => {
      calls.refused += 1;
      const state =
        news.kind === 'cool'
          ? await lanes.cool(lane.id, news.retryAfterMs, attempt.random())
          : await lanes.pauseForProvider(lane.id, news.reason, news.message, isProbe);
      gate.update(state);
    },
  });

  const run = async (
    job: Job<DeliveryData>,
    priority: Priority,
  ): Promise<'finished' | 'back_to_head'> => {
    taken[priority] += 1;
    try {
      const { jobId, delivery } = parseDeliveryId(job.id ?? '');
      const { tenant } = deliveryData.parse(job.data);
      return await runAttempt({ tenant, jobId, delivery }, access(priority), stopping, {
        ...attempt,
        onOutcome: (laneId, outcome, durationMs) => {
          calls.calls += 1;
          attempt.onOutcome?.(laneId, outcome, durationMs);
        },
      });
    } catch (error) {
      // A defect: the delivery goes round again, and the record counts how often its worker gave up on it.
      logger.error({ err: error, delivery: job.id, laneId: lane.id }, 'attempt.broke');
      await clock.sleep(1000, stopping).catch(() => undefined);
      return 'back_to_head';
    } finally {
      taken[priority] -= 1;
    }
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
        concurrency: slots.total,
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

  /** Reads the queues while the gate is open; at the right time tries a lane that the provider closed. */
  const follow = (): void => {
    clearTimeout(timer);
    if (stopping.aborted) return;
    const { closed } = gate;
    for (const { worker } of readers) {
      if (closed !== null && !worker.isPaused()) void worker.pause(true);
      if (closed === null && worker.isPaused()) void worker.resume();
    }
    rebalance();
    if (closed === null) return;
    if (closed.probeDue) void tryProbe();
    else if (closed.untilMs !== null) {
      timer = setTimeout(
        follow,
        Math.min(Math.max(1, closed.untilMs - clock.monotonic()), 2 ** 31 - 1),
      );
    }
  };
  const tryProbe = async (): Promise<void> => {
    if (await lanes.takeProbe(lane.id)) {
      logger.info({ laneId: lane.id }, 'lane.probing');
      gate.startProbe();
    } else if (!stopping.aborted) {
      timer = setTimeout(follow, 1000);
    }
  };
  gate.onChange(follow);

  /**
   * Each reader may take as many as it holds slots and slots are free: what is taken beyond that would wait
   * here while another process could have run it. BullMQ looks at a higher number only when one of its jobs ends, so a
   * reader that stood at its limit is woken.
   */
  const rebalance = (): void => {
    for (const { priority, worker } of readers) {
      const limit = gate.probing ? 1 : Math.max(1, held[priority] + slots.free(priority));
      const stoodAtLimit = taken[priority] >= worker.concurrency && limit > worker.concurrency;
      worker.concurrency = limit;
      if (stoodAtLimit && !worker.isPaused() && clock.monotonic() >= wakeAtMs[priority]) {
        wakeAtMs[priority] = clock.monotonic() + WAKE_MS;
        void worker.pause(true);
        void worker.resume();
      }
    }
  };

  return {
    lane,
    update: (state) => {
      gate.update(state);
    },
    rebalance,
    takeCalls: () => {
      const now = calls;
      calls = { calls: 0, refused: 0 };
      return now;
    },
    pause: () => {
      clearTimeout(timer);
      for (const { worker } of readers) void worker.pause(true);
    },
    close: async () => {
      clearTimeout(timer);
      await Promise.all(readers.map(async ({ worker }) => worker.close()));
    },
  };
}
