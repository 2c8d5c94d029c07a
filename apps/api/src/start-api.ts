import { text } from 'node:stream/consumers';
import {
  BlobNotFoundError,
  BlobStoreUnavailableError,
  openConfiguredBlobs,
  type BlobStore,
} from '@nightshift/blobs';
import { createDeliveryBuffer, createLaneQueues } from '@nightshift/shared/bullmq';
import { systemClock } from '@nightshift/shared/clock';
import { SettingError } from '@nightshift/shared/config';
import {
  connectRedis,
  createBatchStore,
  createFairShare,
  createFileStore,
  createJobStore,
  createKeys,
  createLaneStore,
  createSubscriber,
  createUploadStore,
  createWorkerStore,
  loadScripts,
  watchMemory,
  type FairShare,
} from '@nightshift/shared/redis';
import type { Priority } from '@nightshift/shared/job';
import { createLogger, type Logger } from '@nightshift/shared/telemetry';
import { buildApp, type Api } from './build-app.ts';
import { readSettings, type ApiSettings, type Environment } from './config.ts';
import { checkFitness } from './fitness.ts';
import { serverCloser } from './close-server.ts';
import { createEventHub } from './event-hub.ts';
import { startNoWorkerLog, type NoWorkerLog } from './no-worker-log.ts';

export interface RunningApi {
  /** `http://HOST:PORT` */
  url: string;
  app: Api;
  /** Stops listening, finishes what waits, delivers what was accepted, closes Redis. Can be called twice. */
  close(): Promise<void>;
}

export interface StartOptions {
  logger?: Logger;
  /** Called when Redis, away at the start, turns out unfit to be promised on. */
  onUnfit?: (error: SettingError) => void;
}

/**
 * Starts one API process's worth of API. Redis may be away: then calls get 503 until it comes.
 * @throws SettingError for a wrong setting, for a Redis that would lose what it acknowledges, for a port in use.
 */
export async function startApi(
  environment: Environment,
  options: StartOptions = {},
): Promise<RunningApi> {
  const settings = readSettings(environment);
  const logger = options.logger ?? createLogger('api', settings.logLevel);
  const blobs = await openBlobs(environment);
  const redis = connectRedis(settings.redisUrl, 'request', logger);
  const listening = connectRedis(settings.redisUrl, 'request', logger);
  const keys = createKeys(settings.keyPrefix);
  const run = loadScripts(redis);
  const tenants = new Set(settings.keys.map(({ tenant }) => tenant));
  const fairShare = createFairShare({ run, keys });
  // Bulk is shared with batches, also by one tenant alone.
  const share = (priority: Priority): FairShare | null =>
    tenants.size > 1 || priority === 'bulk' ? fairShare : null;
  const laneQueues = createLaneQueues({ redis, keys, share });
  const jobs = createJobStore({
    redis,
    run,
    keys,
    retentionMs: settings.configuration.retention.jobsMs,
    readAnswer: async (blob) => readAnswer(blobs, blob),
  });
  const files = createFileStore({ redis, run, keys });
  const batches = createBatchStore({ redis, run, keys });
  const workers = createWorkerStore({ run, keys });
  const subscriber = createSubscriber(listening);
  const eventHub = createEventHub({ subscriber, channel: keys.channels.events });
  const deliveryBuffer = createDeliveryBuffer({ queues: laneQueues, jobs, logger });
  const memory = watchMemory({ redis, logger });
  const fitness = checkFitness({
    redis,
    isRelaxed: settings.durability === 'relaxed',
    logger,
    onUnfit: (error) => options.onUnfit?.(error),
  });

  let noWorkerLog: NoWorkerLog | undefined;
  const release = async (): Promise<void> => {
    fitness.stop();
    memory.stop();
    noWorkerLog?.stop();
    eventHub.close();
    await blobs.close();
    await laneQueues.close();
    subscriber.close();
    redis.disconnect();
  };
  try {
    await fitness.firstLook;
    const app = await buildApp({
      redis,
      jobs,
      lanes: createLaneStore({ redis, run, keys, maxLanes: settings.configuration.limits.lanes }),
      files,
      uploads: createUploadStore({ run, keys }),
      blobs,
      workers,
      batching: { batches, files, blobs },
      laneQueues,
      deliveryBuffer,
      eventHub,
      configuration: settings.configuration,
      keys: settings.keys,
      clock: systemClock,
      logger,
      isFull: memory.isTight,
      isAtLimit: memory.isFull,
      isFit: fitness.isFit,
    });
    const closeServer = serverCloser(app);
    await listen(app, settings);
    noWorkerLog = startNoWorkerLog({ workers, jobs, batches, clock: systemClock, logger });
    let closing: Promise<void> | undefined;
    return {
      url: urlOf(app, settings),
      app,
      close: async () => {
        closing ??= (async () => {
          await closeServer();
          await deliveryBuffer.drain();
          await release();
        })();
        await closing;
      },
    };
  } catch (error) {
    await release();
    throw error;
  }
}

/** Null if the blob is gone because its job was just deleted. */
async function readAnswer(blobs: BlobStore, name: string): Promise<string | null> {
  try {
    return await text(blobs.read(name));
  } catch (error) {
    if (error instanceof BlobNotFoundError) return null;
    throw error;
  }
}

/** @throws SettingError also when the place cannot be made or entered. */
async function openBlobs(environment: Environment): Promise<BlobStore> {
  try {
    return await openConfiguredBlobs(environment);
  } catch (error) {
    if (!(error instanceof BlobStoreUnavailableError)) throw error;
    throw new SettingError(
      `NIGHTSHIFT_BLOBS: must be a place that this process can write to: ${error.message}`,
    );
  }
}

async function listen(app: Api, { host, port }: ApiSettings): Promise<void> {
  try {
    await app.listen({ host, port });
  } catch (error) {
    await app.close();
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE') {
      throw new SettingError(
        `PORT: must be a free port, got ${port}: something else listens on ${host}:${port} (EADDRINUSE)`,
      );
    }
    if (code === 'EACCES' || code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
      throw new SettingError(
        `HOST and PORT: must be an address that this machine may listen on, got ${host}:${port} (${code})`,
      );
    }
    throw error;
  }
}

/** Where a program on this machine reaches it. */
function urlOf(app: Api, { host }: ApiSettings): string {
  const address = app.server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  if (host === '0.0.0.0' || host === '::') return `http://127.0.0.1:${port}`;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
