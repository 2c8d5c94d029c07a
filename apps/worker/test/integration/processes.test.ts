import { eventually, freePort, type Child } from '@nightshift/local';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import {
  createProviderForTest,
  createSubmitter,
  startWorkerProcess,
  type ProviderForTest,
  type Submitter,
} from '../support.ts';

let provider: ProviderForTest;
let submitter: Submitter;
const workers: Child[] = [];

const startWorker = async (env: Record<string, string> = {}): Promise<Child> => {
  const worker = await startWorkerProcess(inject('redisUrl'), submitter.prefix, provider.url, env);
  workers.push(worker);
  return worker;
};
const settled = async (id: string) =>
  eventually(async () => submitter.settled(id), { timeoutMs: 30_000 });
const slow = (ms: number) => provider.configure({ latency: { kind: 'fixed', ms } });

beforeEach(async () => {
  [provider, submitter] = await Promise.all([
    createProviderForTest(),
    createSubmitter(inject('redisUrl')),
  ]);
});
afterEach(async () => {
  await Promise.all(
    workers.splice(0).map(async (worker) => (worker.exit === null ? worker.stop() : worker.exited)),
  );
  await submitter.close();
  await provider.stop();
});

describe('worker processes', () => {
  it('hands a killed worker’s jobs to another within 10 s, and repeats only what was in flight', async () => {
    await slow(1500);
    const first = await startWorker({ WORKER_CONCURRENCY: '8' });
    const ids = await Promise.all(
      Array.from({ length: 20 }, async () => submitter.submit('gpt-4o-mini')),
    );
    await eventually(async () => (await provider.calls()).length >= 8);
    await startWorker({ WORKER_CONCURRENCY: '8' });
    await first.kill9();
    const killedAt = Date.now();
    const interrupted = await Promise.all(ids.map(submitter.get)).then((jobs) =>
      jobs.filter((job) => job.status === 'in_progress'),
    );
    const jobs = await Promise.all(ids.map(settled));
    expect(jobs.every((job) => job.status === 'completed')).toBe(true);
    const calls = await provider.calls();
    // All of its slots at most: what it had been answered and not yet recorded counts too.
    expect(calls.length - ids.length).toBeLessThanOrEqual(8);
    for (const job of interrupted) {
      const again = calls.findLast((call) => call.marker === job.id);
      expect((again?.at_ms ?? Infinity) - killedAt).toBeLessThan(10_000);
    }
  });

  it('hands over on SIGTERM: the call is not charged, another worker makes it', async () => {
    await slow(60_000);
    const first = await startWorker({ WORKER_DRAIN_MS: '0' });
    const ids = await Promise.all(
      Array.from({ length: 5 }, async () => submitter.submit('gpt-4o-mini')),
    );
    await eventually(async () => (await provider.calls()).length === 5);
    expect(await first.stop()).toMatchObject({ code: 0 });
    for (const id of ids)
      expect(await submitter.get(id)).toMatchObject({ status: 'queued', attempts: 0 });
    await slow(0);
    await startWorker();
    for (const id of ids)
      expect(await settled(id)).toMatchObject({ status: 'completed', attempts: 1 });
  });

  it('lets calls in flight come back within the drain time', async () => {
    await slow(1000);
    const worker = await startWorker();
    const id = await submitter.submit('gpt-4o-mini');
    await eventually(async () => (await provider.calls(id)).length === 1);
    await worker.stop();
    expect(await submitter.get(id)).toMatchObject({ status: 'completed', attempts: 1 });
    expect(await provider.calls(id)).toHaveLength(1);
  });

  it('never has more calls in flight than WORKER_CONCURRENCY, over all lanes and priorities', async () => {
    await slow(30);
    await startWorker({ WORKER_CONCURRENCY: '5' });
    const ids = await Promise.all(
      Array.from({ length: 90 }, async (_, n) =>
        submitter.submit(`gpt-lane-${n % 3}`, { priority: n % 2 ? 'bulk' : 'interactive' }),
      ),
    );
    for (const id of ids) expect((await settled(id)).status).toBe('completed');
    const stats = (await (
      await fetch(provider.url.replace('/v1', '/_simulator/stats'))
    ).json()) as { max_in_flight: number };
    expect(stats.max_in_flight).toBe(5);
  });

  it('runs what travels in a bundle, each as itself, in its slots', async () => {
    await slow(20);
    await startWorker({ WORKER_CONCURRENCY: '3' });
    const models = [
      'sim-ok',
      'sim-400',
      'sim-fail-2',
      ...Array.from({ length: 9 }, () => 'sim-ok'),
    ];
    const ids = await submitter.submitBundle('sim-ok', models);
    const jobs = await Promise.all(ids.map(settled));
    expect(jobs.map(({ status, attempts }) => [status, attempts])).toEqual(
      models.map((model) => {
        if (model === 'sim-fail-2') return ['completed', 3];
        return [model === 'sim-ok' ? 'completed' : 'failed', 1];
      }),
    );
    expect((await provider.calls()).length).toBe(models.length + 2);
    const stats = (await (
      await fetch(provider.url.replace('/v1', '/_simulator/stats'))
    ).json()) as { max_in_flight: number };
    expect(stats.max_in_flight).toBeLessThanOrEqual(3);
    await eventually(async () => {
      const { queued, inFlight } = await submitter.counts('sim-ok');
      return queued.bulk + inFlight === 0;
    });
  });

  it('reserves for each of a bundle by the tokens of its own', async () => {
    const port = await freePort();
    await startWorker({ WORKER_PORT: `${port}` });
    const [id = ''] = await submitter.submitBundle('sim-ok', ['sim-ok', 'sim-ok'], [7, null, 1]);
    const { usage } = await settled(id);
    // What is learnt is the provider's count over the estimate that came with the delivery.
    const learnt = await eventually(
      async () => {
        const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
        return /^nightshift_token_estimate_ratio\{model="sim-ok"\} (\S+)$/m.exec(text)?.[1];
      },
      { timeoutMs: 30_000 },
    );
    const told = (usage?.inputTokens ?? Number.NaN) / 7;
    expect(Number(learnt) > 1).toBe(told > 1);
    expect(Number(learnt)).not.toBe(1);
  });

  it('leaves to others the bundles that its slots have no need of, from the first moment', async () => {
    await slow(60_000);
    for (let bundle = 0; bundle < 8; bundle += 1) {
      await submitter.submitBundle(
        'sim-ok',
        Array.from({ length: 4 }, () => 'sim-ok'),
      );
    }
    await startWorker({ WORKER_CONCURRENCY: '4', WORKER_DRAIN_MS: '0' });
    await eventually(async () => (await provider.calls()).length === 4);
    // The one that is called, and the next.
    expect(await submitter.counts('sim-ok')).toMatchObject({ inFlight: 8, queued: { bulk: 24 } });
    await startWorker({ WORKER_CONCURRENCY: '4', WORKER_DRAIN_MS: '0' });
    await eventually(async () => (await provider.calls()).length === 8);
    expect(await submitter.counts('sim-ok')).toMatchObject({ inFlight: 16, queued: { bulk: 16 } });
  });

  it('hands over the rest of a bundle on SIGTERM, and repeats nothing of it', async () => {
    await slow(1000);
    const first = await startWorker({ WORKER_CONCURRENCY: '4' });
    const ids = await submitter.submitBundle(
      'sim-ok',
      Array.from({ length: 10 }, () => 'sim-ok'),
    );
    await eventually(async () => (await provider.calls()).length >= 4);
    expect((await submitter.counts('sim-ok')).inFlight).toBe(10);
    expect(await first.stop()).toMatchObject({ code: 0 });
    expect((await submitter.counts('sim-ok')).queued.bulk).toBe(10);
    await slow(0);
    await startWorker();
    for (const id of ids)
      expect(await settled(id)).toMatchObject({ status: 'completed', attempts: 1 });
    expect(await provider.calls()).toHaveLength(10);
  });

  it('repeats of a killed worker’s bundle only what was in flight', async () => {
    await slow(1000);
    const first = await startWorker({ WORKER_CONCURRENCY: '4' });
    const ids = await submitter.submitBundle(
      'sim-ok',
      Array.from({ length: 12 }, () => 'sim-ok'),
    );
    await eventually(async () => (await provider.calls()).length >= 4);
    // Some have ended, four are called and are still called when the other worker is there, some wait.
    await slow(60_000);
    await eventually(async () => (await provider.calls()).length >= 8);
    await startWorker({ WORKER_CONCURRENCY: '4' });
    await first.kill9();
    await slow(0);
    for (const id of ids) expect((await settled(id)).status).toBe('completed');
    const calls = await provider.calls();
    expect(calls.length - ids.length).toBeGreaterThanOrEqual(1);
    expect(calls.length - ids.length).toBeLessThanOrEqual(4);
  });

  it('delivers what an API accepted and did not live to put into a queue', async () => {
    await startWorker();
    const { jobs, laneId } = submitter;
    const id = await submitter.submit('gpt-4o-mini');
    await settled(id);
    // Accepted with a due time of now, and no delivery pushed: what a crash between the two leaves behind.
    const orphan = id.replace(/.$/, (digit) => (digit === '0' ? '1' : '0'));
    await jobs.accept(
      orphan,
      {
        tenant: 'default',
        endpoint: '/v1/chat/completions',
        model: 'gpt-4o-mini',
        laneId: laneId('gpt-4o-mini'),
        body: '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"a"}]}',
        priority: 'bulk',
        metadata: {},
        maxAttempts: 1,
        runAtMs: null,
        expiresAfterMs: null,
        retryOf: null,
        tokens: null,
      },
      null,
    );
    expect((await settled(orphan)).status).toBe('completed');
  });

  it('stops with one line when a setting is wrong', async () => {
    await expect(startWorker({ WORKER_CONCURRENCY: 'many' })).rejects.toThrow(
      /WORKER_CONCURRENCY: must be a whole number from 1 to 4096, got "many"/,
    );
  });
});
