import { randomUUID } from 'node:crypto';
import { startProcess, startSimulator } from '@nightshift/local';
import { createDeliveryBuffer, createLaneQueues } from '@nightshift/shared/bullmq';
import {
  deliveryId,
  isSettled,
  newJobId,
  type Job,
  type NewJob,
  type TokenCounts,
} from '@nightshift/shared/job';
import { laneOf, type Lane } from '@nightshift/shared/lane';
import {
  connectRedis,
  createJobStore,
  createKeys,
  createLaneStore,
  loadScripts,
  whenReady,
} from '@nightshift/shared/redis';
import { createLogger } from '@nightshift/shared/telemetry';

/** One call as the simulator's ledger tells it. */
export interface Call {
  n: number;
  at_ms: number;
  model: string;
  marker: string | null;
  status: number | null;
  outcome: string;
  client_aborted: boolean;
}

const newJob = (lane: Lane, body: string): NewJob => ({
  tenant: 'default',
  endpoint: '/v1/chat/completions',
  model: lane.model,
  laneId: lane.id,
  body,
  priority: 'interactive',
  metadata: {},
  maxAttempts: 8,
  runAtMs: null,
  expiresAfterMs: null,
  retryOf: null,
  tokens: null,
});

/** What an API does, without one: accepts jobs and watches them. Its keys have a prefix of their own. */
export async function createSubmitter(
  redisUrl: string,
  prefix = `test-${randomUUID().slice(0, 8)}`,
) {
  const logger = createLogger('test', 'silent');
  const redis = connectRedis(redisUrl, 'durable', logger);
  await whenReady(redis);
  const run = loadScripts(redis);
  const keys = createKeys(prefix);
  const jobs = createJobStore({ redis, run, keys, retentionMs: 86_400_000 });
  const lanes = createLaneStore({ redis, run, keys, maxLanes: 1000 });
  const queues = createLaneQueues({ redis, keys });
  const deliveries = createDeliveryBuffer({ queues, jobs, logger });

  const submit = async (
    model: string,
    more: Partial<NewJob> & { content?: string } = {},
  ): Promise<string> => {
    const { content = 'hello', ...fields } = more;
    const lane = laneOf('default', model, 'default');
    await lanes.register(lane);
    const id = newJobId();
    const body = JSON.stringify({
      model,
      messages: [{ role: 'user', content }],
      metadata: { marker: id },
    });
    const job: NewJob = { ...newJob(lane, body), ...fields };
    const accepted = await jobs.accept(id, job, null);
    if (accepted.kind === 'accepted' && accepted.entry !== null) {
      deliveries.push(lane.id, job.priority, { ...accepted.entry, tenant: 'default' });
    }
    return id;
  };
  /** Jobs of a lane that travel as one delivery, as lines of a batch may; each with a model of its own in its body. */
  const submitBundle = async (
    laneModel: string,
    models: readonly string[],
    tokens: TokenCounts | null = null,
  ): Promise<string[]> => {
    const lane = laneOf('default', laneModel, 'default');
    const accepted: string[] = [];
    for (const model of models) {
      const id = newJobId();
      const messages = [{ role: 'user', content: 'hello' }];
      const body = JSON.stringify({ model, messages, metadata: { marker: id } });
      await jobs.accept(id, { ...newJob(lane, body), priority: 'bulk' }, null);
      accepted.push(id);
    }
    await lanes.register(lane);
    const sent = accepted.map((id) => ({ deliveryId: deliveryId(id, 1), tokens }));
    await jobs.confirmDeliveries(
      'default',
      sent.map((delivery) => delivery.deliveryId),
    );
    const [first, ...others] = sent;
    if (first !== undefined) {
      await queues.add(lane.id, 'bulk', [{ ...first, others, tenant: 'default' }]);
    }
    return accepted;
  };
  const get = async (id: string): Promise<Job> => {
    const job = await jobs.get('default', id);
    if (job === null) throw new Error(`no job ${id}`);
    return job;
  };

  return {
    redis,
    keys,
    jobs,
    lanes,
    prefix,
    submit,
    submitBundle,
    counts: async (model: string) => queues.counts(laneOf('default', model, 'default').id),
    get,
    laneId: (model: string) => laneOf('default', model, 'default').id,
    /** The job once it is settled; falsy before, for `eventually`. */
    settled: async (id: string): Promise<Job | undefined> => {
      const job = await get(id);
      return isSettled(job.status) ? job : undefined;
    },
    close: async () => {
      await deliveries.drain();
      await queues.close();
      let cursor = '0';
      do {
        const [next, found] = await redis.scan(cursor, 'MATCH', `${prefix}:*`, 'COUNT', 1000);
        if (found.length > 0) await redis.unlink(...found);
        cursor = next;
      } while (cursor !== '0');
      redis.disconnect();
    },
  };
}
export type Submitter = Awaited<ReturnType<typeof createSubmitter>>;

/** The simulated provider with its ledger. */
export async function createProviderForTest() {
  const { child, url } = await startSimulator({});
  const control = url.replace(/\/v1$/, '/_simulator');
  return {
    url,
    child,
    /** Every call, oldest first. */
    calls: async (marker?: string): Promise<Call[]> => {
      const all: Call[] = [];
      for (let after = 0; ;) {
        const page = (await (
          await fetch(`${control}/calls?after=${after}&limit=10000`)
        ).json()) as { data: Call[] };
        all.push(...page.data);
        const last = page.data.at(-1);
        if (last === undefined) break;
        after = last.n;
      }
      return marker === undefined ? all : all.filter((call) => call.marker === marker);
    },
    configure: async (settings: unknown): Promise<void> => {
      const answer = await fetch(`${control}/config`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(settings),
      });
      if (!answer.ok) throw new Error(`simulator refused its settings: ${await answer.text()}`);
    },
    stop: async () => child.stop(),
  };
}
export type ProviderForTest = Awaited<ReturnType<typeof createProviderForTest>>;

export async function startWorkerProcess(
  redisUrl: string,
  prefix: string,
  providerUrl: string,
  env: Record<string, string> = {},
) {
  return startProcess({
    command: 'worker',
    env: {
      REDIS_URL: redisUrl,
      NIGHTSHIFT_KEY_PREFIX: prefix,
      OPENAI_BASE_URL: providerUrl,
      OPENAI_API_KEY: 'simulated',
      NIGHTSHIFT_CONFIG: undefined,
      LOG_LEVEL: 'info',
      ...env,
    },
    readyWhen: /worker\.ready/,
  });
}
