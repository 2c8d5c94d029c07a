import {
  eventually,
  findOrStartRedis,
  startStack,
  type Child,
  type RedisHandle,
  type Stack,
} from '@nightshift/local';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  configureProvider,
  inParallel,
  listAllIds,
  providerCalls,
  readJob,
  submitJob,
} from '../support/client.ts';
import { isSettled, Ledger, repeats, wasInFlight, type Kill } from '../support/ledger.ts';
import { seeded } from '../support/random.ts';

const JOBS = 10_000;
const CONCURRENCY = 32;
/** Set SEED to run a failure again. */
const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 1e9));
const model = 'gpt-4o-mini';

let redis: RedisHandle;
let stack: Stack;

beforeAll(async () => {
  // A server of its own: it is going to be killed.
  redis = await findOrStartRedis({ docker: 'testcontainers', owned: true });
  stack = await startStack({
    redisUrl: redis.url,
    workers: 2,
    simulator: { env: { SIMULATOR_SEED: String(seed) } },
    env: {
      WORKER_CONCURRENCY: String(CONCURRENCY),
      LOG_LEVEL: 'info',
      NIGHTSHIFT_API_KEYS: undefined,
      NIGHTSHIFT_CONFIG: undefined,
    },
  });
  await configureProvider(String(stack.simulatorUrl), {
    latency: { kind: 'log_normal', median_ms: 40, sigma: 0.5 },
  });
});
afterAll(async () => {
  await stack?.stop();
  await redis?.stop();
});

describe(`10,000 jobs among kills, seed ${seed}`, () => {
  it('settles every acknowledged job, once, and repeats no more than was in flight', async () => {
    const random = seeded(seed);
    const ledger = new Ledger();
    const markers = Array.from({ length: JOBS }, (_, n) => `j${seed}-${n}`);
    const deadline = AbortSignal.timeout(300_000);
    const submitting = inParallel(markers, 64, async (marker) => {
      ledger.acknowledge(marker, await submitJob(stack.apiUrl, marker, model, deadline));
    });

    const workerKills: Kill[] = [];
    const calledAtLeast = async (count: number): Promise<void> => {
      await eventually(
        async () =>
          (
            (await (
              await fetch(`${stack.simulatorUrl?.replace('/v1', '')}/_simulator/stats`)
            ).json()) as { calls: number }
          ).calls >= count,
        { timeoutMs: 120_000, describe: `${count} calls at the provider` },
      );
    };
    const killWorker = async (which: Child): Promise<void> => {
      const fromMs = Date.now();
      await which.kill9();
      workerKills.push({ fromMs, toMs: Date.now() });
      await stack.startWorker();
    };
    const between = (from: number, to: number): number =>
      Math.floor(JOBS * (from + random() * (to - from)));

    // The order is fixed, the moments are drawn; each is a fact, so that a slower machine meets the same ones.
    await eventually(() => ledger.acknowledged.size >= between(0.05, 0.3), { timeoutMs: 120_000 });
    await stack.api.kill9();
    await stack.restartApi();
    await calledAtLeast(between(0.1, 0.3));
    await killWorker(stack.workers[0]!);
    await calledAtLeast(between(0.4, 0.55));
    await redis.kill9();
    await redis.restart();
    await calledAtLeast(between(0.65, 0.9));
    await killWorker(stack.workers[1]!);
    await submitting;

    expect(ledger.acknowledged.size).toBe(JOBS);
    const readAll = async (): Promise<void> => {
      await inParallel([...ledger.acknowledged], 32, async ([marker, id]) => {
        const job = await eventually(
          async () => {
            const seen = await readJob(stack.apiUrl, id);
            return seen !== undefined && isSettled(seen) ? seen : undefined;
          },
          { timeoutMs: 60_000, describe: `${id} to settle` },
        );
        ledger.see(marker, job);
      });
    };
    await readAll();
    const calls = await providerCalls(String(stack.simulatorUrl));
    // A second look: nothing that was settled looks different.
    await readAll();
    ledger.judge(calls);

    expect(ledger.violations).toEqual([]);
    expect(ledger.settledCount).toBe(JOBS);
    expect(new Set(await listAllIds(stack.apiUrl))).toEqual(new Set(ledger.acknowledged.values()));
    const again = repeats(calls);
    const inFlight = workerKills.reduce(
      (sum, kill) =>
        sum + Math.min(CONCURRENCY, calls.filter((call) => wasInFlight(call, kill)).length),
      0,
    );
    console.log(
      `seed ${seed}: ${JOBS} jobs, ${calls.length} calls, ${again.length} repeated, ${inFlight} in flight at the kills`,
    );
    expect(again.length).toBeLessThanOrEqual(inFlight);
    expect(calls.length).toBe(JOBS + again.length);
  });
});
