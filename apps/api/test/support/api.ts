import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { openBlobStore, type BlobStore } from '@nightshift/blobs';
import { createDeliveryBuffer, createLaneQueues } from '@nightshift/shared/bullmq';
import { systemClock } from '@nightshift/shared/clock';
import { readConfiguration } from '@nightshift/shared/config';
import type { FleetWorker } from '@nightshift/shared/fleet';
import {
  connectRedis,
  createAttemptStore,
  createFileStore,
  createJobStore,
  createKeys,
  createLaneStore,
  createRetentionStore,
  createSubscriber,
  createUploadStore,
  loadScripts,
  whenReady,
  type Claim,
  type Settlement,
} from '@nightshift/shared/redis';
import { createLogger } from '@nightshift/shared/telemetry';
import { parseApiKeys } from '../../src/config.ts';
import { buildApp, createEventHub, type Api, type Dependencies } from '../../src/index.ts';

export interface TestApiOptions extends Partial<Omit<Dependencies, 'files' | 'uploads' | 'blobs'>> {
  /** As in NIGHTSHIFT_API_KEYS. */
  apiKeys?: string;
  /** As in the file that NIGHTSHIFT_CONFIG names. */
  config?: unknown;
  releaseAfterMs?: number;
  /** Stands between the API and its blob store, to make it fail. */
  breakBlobs?: (sound: BlobStore) => BlobStore;
}

export interface JobView {
  id: string;
  status: string;
  [field: string]: unknown;
}

/** Fastify does not export the type of what `inject` resolves to. */
export type Answer = Awaited<ReturnType<Api['inject']>>;

export type TestApi = Awaited<ReturnType<typeof createTestApi>>;

/** The API over a key prefix of its own, and a worker's moves to play with. */
export async function createTestApi(redisUrl: string, options: TestApiOptions = {}) {
  const {
    apiKeys = '',
    config = {},
    releaseAfterMs = 50,
    breakBlobs = (sound) => sound,
    ...overrides
  } = options;
  const logger = createLogger('test', 'silent');
  const redis = connectRedis(redisUrl, 'request', logger);
  const listening = connectRedis(redisUrl, 'request', logger);
  await Promise.all([whenReady(redis), whenReady(listening)]);
  const prefix = `test-${randomUUID().slice(0, 13)}`;
  const keys = createKeys(prefix);
  const run = loadScripts(redis);
  const configuration = readConfiguration(config, 'test', {});
  const stores = { redis, run, keys, retentionMs: configuration.retention.jobsMs };
  const attempts = createAttemptStore(stores);
  const lanes = createLaneStore({ redis, run, keys, maxLanes: configuration.limits.lanes });
  const files = createFileStore({ redis, run, keys });
  const { dueLoose } = createRetentionStore({ redis, run, keys });
  const uploads = createUploadStore({ run, keys });
  const dataDir = await mkdtemp(join(tmpdir(), 'nightshift-api-test-'));
  const blobs = await openBlobStore(`file:${dataDir}`, {});
  const readAnswer = async (blob: string): Promise<string> => text(blobs.read(blob));
  const jobs = createJobStore({ ...stores, readAnswer });
  const laneQueues = createLaneQueues({ redis, keys });
  const subscriber = createSubscriber(listening);
  const eventHub = createEventHub({ subscriber, channel: keys.channels.events, releaseAfterMs });
  const deliveryBuffer = createDeliveryBuffer({ queues: laneQueues, jobs, logger });
  const app = await buildApp({
    workers: { all: async () => ({ nowMs: Date.now(), workers: [idleWorker()] }) },
    redis,
    jobs,
    lanes,
    files,
    uploads,
    blobs: breakBlobs(blobs),
    laneQueues,
    deliveryBuffer,
    eventHub,
    configuration,
    keys: parseApiKeys(apiKeys),
    clock: systemClock,
    logger,
    ...overrides,
  });

  const allKeys = async (): Promise<string[]> => {
    const found: string[] = [];
    let cursor = '0';
    do {
      const [next, page] = await redis.scan(cursor, 'MATCH', `${prefix}:*`, 'COUNT', 1000);
      found.push(...page);
      cursor = next;
    } while (cursor !== '0');
    return found.toSorted();
  };
  const post = async (
    url: string,
    payload?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> =>
    app.inject({
      method: 'POST',
      url,
      headers: { 'content-type': 'application/json', ...headers },
      payload: typeof payload === 'string' ? payload : JSON.stringify(payload ?? {}),
    });

  return {
    app,
    redis,
    listening,
    keys,
    jobs,
    attempts,
    lanes,
    files,
    dueLoose,
    uploads,
    blobs,
    laneQueues,
    deliveryBuffer,
    eventHub,
    allKeys,
    /** Every file below the data folder, temporary ones too. */
    allBlobs: async (): Promise<string[]> =>
      (await readdir(dataDir, { recursive: true, withFileTypes: true }))
        .filter((entry) => entry.isFile())
        .map(({ name }) => name)
        .toSorted(),
    post,
    get: async (url: string, headers: Record<string, string> = {}): Promise<Answer> =>
      app.inject({ method: 'GET', url, headers }),
    submit: async (fields: Record<string, unknown> = {}, headers = {}): Promise<JobView> => {
      const answer = await post('/v1/jobs', { body: { model: 'gpt-test' }, ...fields }, headers);
      if (answer.statusCode !== 202) throw new Error(answer.body);
      return answer.json<JobView>();
    },
    /** Takes the job as a worker does. */
    begin: async (id: string, tenant = 'default', delivery = 1): Promise<Claim> => {
      const begun = await attempts.begin(tenant, id, delivery, randomUUID(), 'worker-test');
      if (begun.kind !== 'started') throw new Error(`job ${id} is ${begun.kind}`);
      return begun.claim;
    },
    /** Begins the job and completes it. */
    complete: async (id: string, settlement: Partial<Settlement> = {}, tenant = 'default') => {
      const begun = await attempts.begin(tenant, id, 1, randomUUID(), 'worker-test');
      if (begun.kind !== 'started') throw new Error(`job ${id} is ${begun.kind}`);
      return attempts.settle(begun.claim, { ...completed, ...settlement });
    },
    listen: async (): Promise<string> => {
      const url = await app.listen({ host: '127.0.0.1', port: 0 });
      return url.replace('[::1]', '127.0.0.1');
    },
    close: async (): Promise<void> => {
      const closed = app.close();
      app.server.closeAllConnections();
      await closed;
      eventHub.close();
      await deliveryBuffer.drain();
      await laneQueues.close();
      if (redis.status === 'ready') {
        const left = await allKeys();
        if (left.length > 0) await redis.unlink(...left);
      }
      subscriber.close();
      redis.disconnect();
      await blobs.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** A worker that is alive and has free slots. */
export function idleWorker(more: Partial<FleetWorker> = {}): FleetWorker {
  return {
    id: 'worker_1',
    host: 'host-a',
    pid: 4711,
    version: '0.1.0',
    state: 'alive',
    startedAtMs: Date.now() - 60_000,
    lastSeenAtMs: Date.now(),
    slots: 64,
    slotsUsed: 0,
    lanes: 1,
    ...more,
  };
}

/** A provider's good answer: indented, a number beyond double precision, keys in an order of their own. */
export const ANSWER = '{\n  "z": 12345678901234567890,\n  "id": "chatcmpl-1",\n  "choices": []\n}';

export const completed: Settlement = {
  status: 'completed',
  response: { statusCode: 200, requestId: 'req_provider', body: ANSWER },
  error: null,
  usage: {
    inputTokens: 10,
    cachedInputTokens: 2,
    outputTokens: 5,
    reasoningTokens: 1,
    totalTokens: 15,
  },
  costUsd: 0.0025,
};

export const failed: Settlement = {
  status: 'failed',
  response: { statusCode: 400, requestId: null, body: '{"error":{"message":"no"}}' },
  error: { code: 'provider_rejected', message: 'The provider answered 400.' },
  usage: null,
  costUsd: null,
};
