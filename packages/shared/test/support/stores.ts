import { randomBytes } from 'node:crypto';
import { Cluster, type Redis } from 'ioredis';
import { newJobId, type NewJob } from '../../src/job/index.ts';
import {
  connectRedis,
  createAttemptStore,
  createJobStore,
  createKeys,
  createLaneStore,
  createSubscriber,
  loadScripts,
  whenReady,
  type Claim,
  type RedisConnection,
  type RunScript,
} from '../../src/redis/index.ts';
import { createLogger } from '../../src/telemetry/index.ts';

export const DAY_MS = 24 * 3600 * 1000;

export interface StoresOptions {
  retentionMs?: number;
  maxLanes?: number;
  /** Breaks the scripts on purpose, to see a check turn red. */
  sabotage?: (run: RunScript, redis: RedisConnection) => RunScript;
}

export type Stores = Awaited<ReturnType<typeof openStores>>;

/** All stores over one connection and a key prefix of their own; `close` removes what they wrote. */
export async function openStores(url: string, options: StoresOptions = {}) {
  const logger = createLogger('test', 'silent');
  const { retentionMs = 30 * DAY_MS, maxLanes = 1000 } = options;
  const redis = connectRedis(url, 'durable', logger);
  await whenReady(redis);
  const keys = createKeys(`test-${randomBytes(6).toString('hex')}`);
  const run = (options.sabotage ?? ((sound) => sound))(loadScripts(redis), redis);
  const common = { redis, run, keys, retentionMs };
  const nodes = (): Redis[] => (redis instanceof Cluster ? redis.nodes('master') : [redis]);
  const subscriptions: { close(): void }[] = [];

  return {
    redis,
    run,
    keys,
    retentionMs,
    jobs: createJobStore(common),
    attempts: createAttemptStore(common),
    lanes: createLaneStore({ redis, run, keys, maxLanes }),

    /** The messages of a channel from now on. */
    listen: async (channel: string): Promise<string[]> => {
      const subscriber = createSubscriber(connectRedis(url, 'durable', logger));
      subscriptions.push(subscriber);
      const messages: string[] = [];
      await subscriber.subscribe(channel, (message) => messages.push(message));
      return messages;
    },

    allKeys: async (): Promise<string[]> =>
      (await Promise.all(nodes().map(async (node) => node.keys(`${keys.prefix}:*`)))).flat(),

    close: async (): Promise<void> => {
      for (const subscription of subscriptions) subscription.close();
      for (const node of nodes()) {
        for (const key of await node.keys(`${keys.prefix}:*`)) await redis.unlink(key);
      }
      redis.disconnect();
    },
  };
}

export function newTenant(): string {
  return `tenant-${randomBytes(4).toString('hex')}`;
}

export function newJob(tenant: string, more: Partial<NewJob> = {}): NewJob {
  return {
    tenant,
    endpoint: '/v1/chat/completions',
    model: 'm',
    laneId: 'lane_0123456789abcdef',
    body: '{"model":"m"}',
    priority: 'interactive',
    metadata: {},
    maxAttempts: 8,
    runAtMs: null,
    expiresAfterMs: null,
    retryOf: null,
    tokens: null,
    ...more,
  };
}

/** Accepts a job and says its id. */
export async function accepted(
  { jobs }: Stores,
  tenant: string,
  more: Partial<NewJob> = {},
): Promise<string> {
  const id = newJobId();
  const result = await jobs.accept(id, newJob(tenant, more), null);
  if (result.kind !== 'accepted') throw new Error(`was ${result.kind}`);
  return id;
}

/** Accepts a job and begins its first attempt. */
export async function started(
  stores: Stores,
  tenant: string,
  more: Partial<NewJob> = {},
): Promise<Claim> {
  return begun(stores, tenant, await accepted(stores, tenant, more), 1);
}

export async function begun(
  { attempts }: Stores,
  tenant: string,
  id: string,
  delivery: number,
  claimId = randomBytes(6).toString('hex'),
): Promise<Claim> {
  const result = await attempts.begin(tenant, id, delivery, claimId, 'worker-1');
  if (result.kind !== 'started') throw new Error(`attempt was ${result.kind}`);
  return result.claim;
}

/** Lets the time of a job run out, without the wait. */
export async function outlive(stores: Stores, tenant: string, id: string): Promise<void> {
  const of = stores.keys.tenant(tenant);
  await stores.redis.hset(of.job(id), 'expires_at', '1000');
  await stores.redis.zadd(of.expiring, 1000, id);
}

/** Everything that is stored of a job. */
export async function recordOf(
  { redis, keys }: Stores,
  tenant: string,
  id: string,
): Promise<Record<string, string>> {
  return redis.hgetall(keys.tenant(tenant).job(id));
}

/** The counts that are not 0. */
export async function countsOf({ jobs }: Stores, tenant: string): Promise<Record<string, number>> {
  const counts = await jobs.counts(tenant);
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0));
}

export async function outboxOf(
  { redis, keys }: Stores,
  tenant: string,
): Promise<Record<string, number>> {
  const flat = await redis.zrange(keys.tenant(tenant).outbox, '0', '-1', 'WITHSCORES');
  const entries: [string, number][] = [];
  for (let at = 0; at < flat.length; at += 2) entries.push([flat[at]!, Number(flat[at + 1])]);
  return Object.fromEntries(entries);
}
