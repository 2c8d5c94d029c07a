import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { eventually, findOrStartRedis, startProcess, type Child } from '@nightshift/local';
import { describe, it } from 'vitest';
import { inputFile, names, setBatchStageOn, type BatchStage } from '../support/batch-stage.ts';
import { setStage, type Stage } from '../support/stage.ts';

const DRAIN_MS = 1500;
const PROMISED_MS = DRAIN_MS + 2000;
/** The API answers what it is answering for up to 10 s, and then closes. */
const API_PROMISED_MS = 15_000;

type Hurt = 'killed' | 'frozen';

async function hurt({ redis }: Pick<Stage, 'redis'>, how: Hurt): Promise<void> {
  await (how === 'killed' ? redis.kill9() : redis.freeze());
}

async function heal({ redis }: Pick<Stage, 'redis'>, how: Hurt): Promise<void> {
  await (how === 'killed' ? redis.restart() : redis.thaw());
}

/** How a process ended after SIGTERM, and how long it took. One that does not end fails here, late. */
async function terminated(child: Child): Promise<{ code: number | null; tookMs: number }> {
  const since = performance.now();
  const { code } = await child.stop();
  return { code, tookMs: performance.now() - since };
}

const env = { WORKER_DRAIN_MS: String(DRAIN_MS), WORKER_PORT: '0' };

describe.concurrent.each<Hurt>(['killed', 'frozen'])('SIGTERM while Redis is %s', (how) => {
  it('ends idle workers, workers with calls in flight and the API; nothing is lost', async ({
    expect,
  }) => {
    const stage = await setStage({ workers: 2, concurrency: 5, env });
    try {
      const { stack, submit, calls, latency, settleAndJudge, ledger } = stage;
      await submit('before', 5);
      await settleAndJudge(30_000);
      await hurt(stage, how);
      const idle = await terminated(stack.workers[1] as Child);
      expect(idle.code).toBe(0);
      expect(idle.tookMs).toBeLessThan(PROMISED_MS);
      await heal(stage, how);

      // Longer than the drain: they cannot be recorded, nor handed back.
      await latency(60_000);
      const before = (await calls()).length;
      await eventually(async () => (await fetch(`${stack.apiUrl}/readyz`)).status === 200);
      await submit('held', 20);
      await eventually(async () => (await calls()).length >= before + 5);
      await hurt(stage, how);
      const [worker, api] = await Promise.all([
        terminated(stack.workers[0] as Child),
        terminated(stack.api),
      ]);
      console.log(
        `Redis ${how}: idle ${idle.tookMs} ms, ${worker.tookMs} ms, API ${api.tookMs} ms`,
      );
      expect(worker.code).toBe(0);
      expect(worker.tookMs).toBeLessThan(PROMISED_MS);
      expect(api.code).toBe(0);
      expect(api.tookMs).toBeLessThan(API_PROMISED_MS);

      await heal(stage, how);
      await latency(0);
      await stack.restartApi();
      await stack.startWorker();
      await settleAndJudge(90_000);
      expect(ledger.violations).toEqual([]);
    } finally {
      await stage.redis.thaw().catch(() => undefined);
      await stage.stop();
    }
  });

  it('ends a worker that conducts a batch, and another worker finishes the batch', async ({
    expect,
  }) => {
    const redis = await findOrStartRedis({ docker: 'testcontainers', owned: true });
    const stage: BatchStage = await setBatchStageOn(redis, { workers: 1, env });
    try {
      const ids = names('line', 2000);
      await stage.latency(50);
      const batch = await stage.create({ input_file_id: await stage.upload(inputFile(ids)) });
      await stage.reaches(batch.id, ({ request_counts: counts }) => (counts?.completed ?? 0) > 50);
      await hurt(stage, how);
      const { code, tookMs } = await terminated(stage.stack.workers[0] as Child);
      console.log(`Redis ${how}: a conducting worker ended after ${tookMs} ms`);
      expect(code).toBe(0);
      expect(tookMs).toBeLessThan(PROMISED_MS);
      await heal(stage, how);
      await stage.latency(0);
      await stage.stack.startWorker();
      await stage.judged(await stage.settled(batch.id, 120_000), ids);
    } finally {
      await redis.thaw().catch(() => undefined);
      await stage.stop();
    }
  });
});

describe.concurrent('SIGTERM while a worker waits for Redis to start', () => {
  it('ends it when nothing listens', async ({ expect }) => {
    const redis = await findOrStartRedis({ docker: 'testcontainers', owned: true });
    try {
      await redis.kill9();
      const worker = await startProcess({
        command: 'worker',
        env: { REDIS_URL: redis.url, ...env },
        readyWhen: /redis\.away/,
      });
      const { code, tookMs } = await terminated(worker);
      expect(code).toBe(0);
      expect(tookMs).toBeLessThan(PROMISED_MS);
    } finally {
      await redis.stop();
    }
  });

  it('ends it when it is connected and gets no answer', async ({ expect }) => {
    const silent = createServer();
    const connected = once(silent, 'connection');
    await once(silent.listen(0, '127.0.0.1'), 'listening');
    try {
      const { port } = silent.address() as AddressInfo;
      const worker = await startProcess({
        command: 'worker',
        env: { REDIS_URL: `redis://127.0.0.1:${port}`, ...env },
        readyWhen: async () => (await connected).length > 0,
      });
      const { code, tookMs } = await terminated(worker);
      expect(code).toBe(0);
      expect(tookMs).toBeLessThan(PROMISED_MS);
    } finally {
      silent.close();
    }
  });
});
