import { hostname } from 'node:os';
import { openConfiguredBlobs } from '@nightshift/blobs';
import { createLaneQueues } from '@nightshift/shared/bullmq';
import { systemClock } from '@nightshift/shared/clock';
import { loadConfiguration, SettingError } from '@nightshift/shared/config';
import {
  checkDurability,
  connectRedis,
  createAttemptStore,
  createBudgetStore,
  createConductorStore,
  createFairShare,
  createJobStore,
  createKeys,
  createLaneStore,
  createRetentionStore,
  createSubscriber,
  createWorkerStore,
  loadScripts,
  watchMemory,
  whenReady,
  type RetentionStore,
} from '@nightshift/shared/redis';
import { createLogger } from '@nightshift/shared/telemetry';
import { v7 } from 'uuid';
import { createInFlight } from './attempt/in-flight.ts';
import { createAnswerKeeper } from './attempt/keep-answer.ts';
import { parseWorkerEnvironment } from './config.ts';
import { createConductingThread } from './batches/conducting-thread.ts';
import type { ConductorDependencies } from './batches/conductor.ts';
import { openConductors } from './batches/open-conductors.ts';
import { createFleet } from './lanes/fleet.ts';
import { createMetrics, startMetricsServer } from './metrics.ts';
import { startRescuer } from './rescue/rescuer.ts';
import { createCleaner } from './services/cleaner.ts';
import { createHeartbeat } from './services/heartbeat.ts';
import { createSweeper } from './services/sweeper.ts';
import { readVersion } from './version.ts';

export interface WorkerHandle {
  /**
   * Drains and stops; a second call waits for the first. Resolves soon after the drain even if Redis does not answer. Jobs that
   * are still held are then recovered as after a crash: by the rescuer, or when their locks expire.
   */
  stop(drainMs?: number): Promise<void>;
}

/** Time after the drain for handing back jobs and closing: the process must exit within two seconds of the drain. */
const CLOSE_MS = 1200;

type Environment = Readonly<Record<string, string | undefined>>;

/** What the effects of conducting and cleaning go through. */
export interface WorkerHands extends Pick<ConductorDependencies, 'store' | 'blobs'> {
  retention: RetentionStore;
}

/**
 * Starts a worker in this process. Waits for Redis as long as it takes. `around` is for those who watch it at its
 * steps, or stop it there; functions cannot go into another thread, so with it batches are conducted in this one.
 * @throws SettingError when the environment, the configuration or Redis' durability is wrong.
 */
export async function startWorker(
  variables: Environment,
  signal?: AbortSignal,
  around?: (hands: WorkerHands) => WorkerHands,
): Promise<WorkerHandle> {
  const environment = parseWorkerEnvironment(variables);
  const blobs = await openConfiguredBlobs(variables);
  const configuration = loadConfiguration(variables);
  const logger = createLogger('worker', environment.LOG_LEVEL);
  const workerId = `worker_${v7().replaceAll('-', '')}`;
  const keys = createKeys(environment.NIGHTSHIFT_KEY_PREFIX);
  const redis = connectRedis(environment.REDIS_URL, 'durable', logger);
  const listening = connectRedis(environment.REDIS_URL, 'durable', logger);
  const disconnect = (): void => {
    redis.disconnect();
    listening.disconnect();
  };
  try {
    await whenReady(redis, signal);
    if (environment.DURABILITY === 'strict') await checkDurability(redis);
  } catch (error) {
    disconnect();
    throw error;
  }

  const run = loadScripts(redis);
  const stores = { redis, run, keys, retentionMs: configuration.retention.jobsMs };
  const jobs = createJobStore(stores);
  const attempts = createAttemptStore(stores);
  const lanes = createLaneStore({ redis, run, keys, maxLanes: configuration.limits.lanes });
  const budgets = createBudgetStore({ run, keys });
  const fairShare = createFairShare({ run, keys });
  const queues = createLaneQueues({
    redis,
    keys,
    share: (priority) => (priority === 'bulk' || sweeper.tenantCount > 1 ? fairShare : null),
  });
  const subscriber = createSubscriber(listening);
  const inFlight = createInFlight();
  const metrics = createMetrics(inFlight);
  const rescuer = startRescuer();
  const memory = watchMemory({ redis, logger });
  const attempt = {
    attempts,
    inFlight,
    keepAnswer: createAnswerKeeper({ attempts, blobs, memory, logger }),
    configuration,
    clock: systemClock,
    random: Math.random,
    workerId,
    logger,
    onOutcome: metrics.onOutcome,
  };
  const fleet = createFleet({
    redis,
    keys,
    lanes,
    budgets,
    subscriber,
    configuration,
    concurrency: environment.WORKER_CONCURRENCY,
    attempt,
    onPaced: metrics.onPaced,
    onEstimate: metrics.onEstimate,
    onReading: rescuer.watch,
  });
  const retention = createRetentionStore(stores);
  const hands = around?.({
    store: createConductorStore({ ...stores, retentionMs: configuration.retention.batchesMs }),
    blobs,
    retention,
  });
  const conducting = { variables, configuration, workerId };
  const conductors =
    hands === undefined
      ? createConductingThread(conducting, { clock: systemClock, logger })
      : await openConductors(conducting, logger, hands);
  const cleaner = createCleaner({
    jobs,
    retention: hands?.retention ?? retention,
    blobs: hands?.blobs ?? blobs,
    clock: systemClock,
    logger,
    workerId,
  });
  const heartbeat = createHeartbeat({
    workers: createWorkerStore({ run, keys }),
    about: {
      id: workerId,
      host: hostname(),
      pid: process.pid,
      version: readVersion(),
      slots: environment.WORKER_CONCURRENCY,
    },
    load: () => ({ slotsUsed: fleet.slotsUsed, lanes: fleet.laneCount }),
    clock: systemClock,
    logger,
  });
  const sweeper = createSweeper({ attempts, jobs, queues, clock: systemClock, logger });

  await subscriber.subscribe(keys.channels.control, (message) => {
    const [command, jobId] = message.split(' ');
    if (command === 'abort' && jobId !== undefined) inFlight.withdraw(jobId);
  });
  await subscriber.subscribe(keys.channels.batches, () => {
    conductors.nudge();
  });
  subscriber.onResumed(() => {
    inFlight.recheck(attempts).catch((error: unknown) => {
      logger.warn({ reason: (error as Error).message }, 'in_flight.not_rechecked');
    });
  });
  await fleet.start();
  sweeper.start();
  cleaner.start();
  await conductors.start();
  await heartbeat.start();
  const server = await startMetricsServer(environment, metrics, () => redis.status === 'ready');
  logger.info(
    { workerId, concurrency: environment.WORKER_CONCURRENCY, lanes: fleet.laneCount },
    'worker.ready',
  );

  let stopped: Promise<void> | undefined;
  const stopInOrder = async (drainMs: number): Promise<void> => {
    heartbeat.announceStop();
    await Promise.all([conductors.stop(), cleaner.stop(), sweeper.stop(), fleet.stop(drainMs)]);
    await server?.close();
    await heartbeat.stop();
    await queues.close();
    await blobs.close();
    rescuer.dismiss();
  };
  const stop = async (drainMs: number): Promise<void> => {
    const reason = await cutShortBy(stopInOrder(drainMs), drainMs + CLOSE_MS);
    memory.stop();
    disconnect();
    if (reason === null) logger.info({ workerId }, 'worker.stopped');
    else logger.warn({ workerId, reason }, 'worker.stop_cut_short');
  };
  return {
    stop: async (drainMs = environment.WORKER_DRAIN_MS) => {
      stopped ??= stop(drainMs);
      await stopped;
    },
  };
}

/** Resolves to null if the work ended in time, else to the reason; the work is then abandoned. */
async function cutShortBy(work: Promise<void>, mostMs: number): Promise<string | null> {
  const late = new AbortController();
  try {
    return await Promise.race([
      work.then(
        () => null,
        (error: unknown) => (error as Error).message,
      ),
      systemClock.sleep(mostMs, late.signal).then(() => `not finished after ${mostMs} ms`),
    ]);
  } finally {
    late.abort();
  }
}

/** Runs the process until SIGTERM or SIGINT, then exits with 0. A second signal exits at once. */
export async function runWorker(variables: Environment): Promise<void> {
  const starting = new AbortController();
  const signals = ['SIGTERM', 'SIGINT'] as const;
  const asked = new Promise<void>((resolve) => {
    for (const name of signals) {
      process.once(name, () => {
        starting.abort(new SettingError('stopped while waiting for Redis'));
        resolve();
      });
    }
  });
  const start = startWorker(variables, starting.signal);
  // When asked to stop, a start may still be waiting for a Redis that went away again.
  const worker = await Promise.race([
    start,
    asked.then(async () => systemClock.sleep(CLOSE_MS)),
  ]).catch((error: unknown) => {
    if (!starting.signal.aborted) throw error;
  });
  await asked;
  for (const name of signals) process.once(name, () => process.exit(1));
  await worker?.stop();
  // Work that did not end in time must not keep the process alive.
  process.exit(0);
}
