import { eventually, type Child } from '@nightshift/local';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { laneStanding } from '@nightshift/shared/lane';
import {
  createProviderForTest,
  createSubmitter,
  startWorkerProcess,
  type ProviderForTest,
  type Submitter,
} from '../support.ts';

let provider: ProviderForTest;
let submitter: Submitter;
let worker: Child;

beforeAll(async () => {
  [provider, submitter] = await Promise.all([
    createProviderForTest(),
    createSubmitter(inject('redisUrl')),
  ]);
  worker = await startWorkerProcess(inject('redisUrl'), submitter.prefix, provider.url);
});
afterAll(async () => {
  await worker?.stop();
  await submitter?.close();
  await provider?.stop();
});

const settled = async (id: string) =>
  eventually(async () => submitter.settled(id), { timeoutMs: 30_000 });

describe('an attempt, on real parts', () => {
  it('brings back the answer, its usage and its cost', async () => {
    const id = await submitter.submit('gpt-4o-mini');
    const job = await settled(id);
    expect(job).toMatchObject({ status: 'completed', attempts: 1, error: null });
    expect(job.response?.statusCode).toBe(200);
    expect(job.response?.body).toContain(id);
    expect(job.usage?.totalTokens).toBeGreaterThan(0);
    expect(job.costUsd).toBeGreaterThan(0);
    expect(await provider.calls(id)).toHaveLength(1);
  });

  it('calls each of those once that were accepted together while results come fast', async () => {
    const of = submitter.keys.tenant('default');
    const pace = `${Date.now()} 0 2000`;
    await submitter.redis.hset(of.paces, submitter.laneId('sim-ok'), pace);
    const ids = await Promise.all(
      Array.from({ length: 60 }, async () => submitter.submit('sim-ok')),
    );
    const jobs = await Promise.all(ids.map(settled));
    expect(jobs.every((job) => job.status === 'completed' && job.attempts === 1)).toBe(true);
    const called = (await provider.calls()).map(({ marker }) => marker);
    expect(called.filter((marker) => ids.includes(marker ?? ''))).toHaveLength(60);
    await eventually(async () => (await submitter.redis.zcard(of.outbox)) === 0);
  });

  it('adds the lengths of its answers to the history of the lane', async () => {
    const model = 'gpt-4o';
    const jobs = await Promise.all(
      [0, 1, 2].map(async () => settled(await submitter.submit(model))),
    );
    const tokens = jobs.reduce((sum, job) => sum + (job.usage?.outputTokens ?? 0), 0);
    const lengths = await eventually(
      async () => {
        const { lengths: of } = await submitter.lanes.history(submitter.laneId(model));
        const found = of.get('/v1/chat/completions');
        return found?.answers === 3 ? found : null;
      },
      { timeoutMs: 10_000 },
    );
    expect(lengths).toMatchObject({ answers: 3, tokens });
  });

  it('knows no price for a model that is not in the table: null, not 0', async () => {
    expect((await settled(await submitter.submit('sim-ok'))).costUsd).toBeNull();
  });

  it('fails another 4xx at once, with the answer', async () => {
    const id = await submitter.submit('sim-400');
    const job = await settled(id);
    expect(job).toMatchObject({
      status: 'failed',
      attempts: 1,
      error: { code: 'provider_rejected' },
    });
    expect(job.response?.statusCode).toBe(400);
    expect(await provider.calls(id)).toHaveLength(1);
  });

  it('retries what may pass, and counts the attempts', async () => {
    const id = await submitter.submit('sim-fail-2');
    const job = await settled(id);
    expect(job).toMatchObject({ status: 'completed', attempts: 3 });
    expect(await provider.calls(id)).toHaveLength(3);
  });

  it.each(['sim-503', 'sim-reset', 'sim-html', 'sim-truncated'])(
    'gives up on %s after max_attempts',
    async (model) => {
      const id = await submitter.submit(model, { maxAttempts: 2 });
      const job = await settled(id);
      expect(job).toMatchObject({ status: 'failed', attempts: 2 });
      expect(job.error?.message).toContain('Attempt 2 of 2');
      expect(await provider.calls(id)).toHaveLength(2);
    },
  );

  it('charges no attempt for a rate limit', async () => {
    const id = await submitter.submit('sim-429-once', { maxAttempts: 1 });
    const job = await settled(id);
    expect(job).toMatchObject({ status: 'completed', attempts: 1 });
    expect((await provider.calls(id)).map((call) => call.status)).toEqual([429, 200]);
  });

  it('aborts the call of a cancelled job within a second, and keeps the cancel', async () => {
    const id = await submitter.submit('sim-hang');
    await eventually(async () => (await provider.calls(id)).length === 1);
    const before = performance.now();
    expect(await submitter.jobs.cancel('default', id)).toBe('cancelled');
    await eventually(async () => (await provider.calls(id))[0]?.client_aborted);
    expect(performance.now() - before).toBeLessThan(1000);
    expect(await submitter.get(id)).toMatchObject({ status: 'cancelled', response: null });
  });

  it('expires a job that is at the provider when its time is up, and aborts the call', async () => {
    const id = await submitter.submit('sim-hang', { expiresAfterMs: 1500 });
    const job = await settled(id);
    expect(job).toMatchObject({ status: 'expired', error: { code: 'job_expired' } });
    await eventually(async () => (await provider.calls(id))[0]?.client_aborted);
  });

  it('runs a job at its run_at, not before', async () => {
    const runAtMs = Date.now() + 1500;
    const id = await submitter.submit('gpt-4o-mini', { runAtMs });
    const job = await settled(id);
    expect(job.startedAtMs).toBeGreaterThanOrEqual(runAtMs);
    expect(job.attempts).toBe(1);
  });

  it('pauses a lane whose credential is refused, keeps its jobs, and opens it by a probe', async () => {
    const model = 'gpt-revoked';
    await provider.configure({ rules: [{ match: { model }, fault: '401' }] });
    const ids = await Promise.all([
      submitter.submit(model),
      submitter.submit(model),
      submitter.submit(model),
    ]);
    await eventually(
      async () =>
        laneStanding(await submitter.lanes.state(submitter.laneId(model))).state === 'paused',
    );
    await eventually(async () =>
      (await Promise.all(ids.map(submitter.get))).every((job) => job.status === 'queued'),
    );
    const other = await settled(await submitter.submit('gpt-4o-mini'));
    expect(other.status).toBe('completed');
    await provider.configure({ rules: [] });
    for (const id of ids)
      expect(await settled(id)).toMatchObject({ status: 'completed', attempts: 1 });
    expect(laneStanding(await submitter.lanes.state(submitter.laneId(model))).state).toBe('open');
  });

  it('lets an operator hold a lane', async () => {
    const model = 'gpt-held';
    await settled(await submitter.submit(model));
    await submitter.lanes.pauseForOperator(submitter.laneId(model));
    const id = await submitter.submit(model);
    const other = await submitter.submit('gpt-4o-mini');
    await settled(other);
    expect(await submitter.get(id)).toMatchObject({ status: 'queued', attempts: 0 });
    await submitter.lanes.resumeForOperator(submitter.laneId(model));
    expect((await settled(id)).status).toBe('completed');
  });

  it('calls every endpoint', async () => {
    const bodies = {
      '/v1/completions': { model: 'gpt-ends', prompt: 'a' },
      '/v1/responses': { model: 'gpt-ends', input: 'a' },
      '/v1/embeddings': { model: 'text-embedding-3-small', input: 'a' },
      '/v1/moderations': { model: 'omni-moderation-latest', input: 'a' },
    } as const;
    for (const [endpoint, body] of Object.entries(bodies)) {
      const id = await submitter.submit(body.model, {
        endpoint: endpoint as keyof typeof bodies,
        body: JSON.stringify(body),
      });
      expect(await settled(id), endpoint).toMatchObject({ status: 'completed' });
    }
  });
});
