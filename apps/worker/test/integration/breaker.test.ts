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
let workers: Child[];

beforeAll(async () => {
  [provider, submitter] = await Promise.all([
    createProviderForTest(),
    createSubmitter(inject('redisUrl')),
  ]);
  const start = async () =>
    startWorkerProcess(inject('redisUrl'), submitter.prefix, provider.url, {
      WORKER_CONCURRENCY: '16',
    });
  workers = await Promise.all([start(), start()]);
});
afterAll(async () => {
  await Promise.all((workers ?? []).map(async (worker) => worker.stop()));
  await submitter?.close();
  await provider?.stop();
});

const settled = async (id: string, timeoutMs = 40_000) =>
  eventually(async () => submitter.settled(id), { timeoutMs });
const standing = async (model: string) =>
  laneStanding(await submitter.lanes.state(submitter.laneId(model)));
const many = async (model: string, count: number): Promise<string[]> =>
  Promise.all(Array.from({ length: count }, async () => submitter.submit(model)));
/** A job that the provider treats differently from the others of its lane. */
const odd = async (
  model: string,
  fault: string,
  more: { maxAttempts?: number } = {},
): Promise<string> =>
  submitter.submit(model, {
    ...more,
    body: JSON.stringify({
      model: fault,
      messages: [{ role: 'user', content: 'x' }],
      metadata: { marker: fault },
    }),
  });

describe('an outage', () => {
  it.each([
    ['503', '503'],
    ['refused', 'refuse'],
  ])('fails and charges no job: %s', async (name, fault) => {
    const model = `gpt-outage-${name}`;
    await settled(await submitter.submit(model));
    const before = (await provider.calls()).length;
    await provider.configure({ outage: { for_ms: 5000, fault } });
    const ids = await many(model, 60);
    await eventually(async () => (await standing(model)).state === 'unreachable');
    await eventually(async () => {
      const jobs = await Promise.all(ids.map(submitter.get));
      return jobs.every((job) => job.status === 'queued');
    });
    const jobs = await Promise.all(ids.map(async (id) => settled(id)));
    expect(jobs.every(({ status }) => status === 'completed')).toBe(true);
    // A trial that was answered may have charged one.
    expect(jobs.filter(({ attempts }) => attempts > 1).length).toBeLessThanOrEqual(4);
    expect(jobs.every(({ attempts }) => attempts <= 2)).toBe(true);
    expect(await standing(model)).toEqual({ state: 'open' });
    // One call for each answer, the wave that met the outage, and a handful of trials. Calls to a closed port are not counted.
    const calls = (await provider.calls()).length - before;
    expect(calls).toBeLessThanOrEqual(60 + 40);
  });

  it('does not fail a job that is alone in its lane', async () => {
    const model = 'gpt-outage-alone';
    await provider.configure({ outage: { for_ms: 12_000, fault: '503' } });
    const id = await submitter.submit(model);
    await eventually(async () => (await standing(model)).state === 'unreachable', {
      timeoutMs: 30_000,
    });
    const job = await settled(id);
    expect(job.status).toBe('completed');
    expect(job.attempts).toBeLessThanOrEqual(2);
  });
});

describe('one odd request among others', () => {
  it('fails after its attempts when it crashes its engine, and the lane stays open', async () => {
    const model = 'gpt-poison';
    // The last of five attempts comes a quarter of a minute after the first, the last of eight two minutes after it.
    const poison = await odd(model, 'sim-500', { maxAttempts: 5 });
    const trickle = setInterval(() => void submitter.submit(model), 200);
    try {
      const job = await settled(poison, 60_000);
      expect(job).toMatchObject({
        status: 'failed',
        attempts: 5,
        error: { code: 'provider_error' },
      });
    } finally {
      clearInterval(trickle);
    }
    expect((await provider.calls('sim-500')).length).toBeLessThanOrEqual(8);
  });

  it('fails with its answer when only it gets a 403, and the lane stays open', async () => {
    const model = 'gpt-flagged';
    await Promise.all((await many(model, 20)).map(async (id) => settled(id)));
    const flagged = await odd(model, 'sim-403');
    const others = await many(model, 40);
    for (const id of others) expect((await settled(id)).status).toBe('completed');
    // In the end it is alone in the lane, so a few probes decide.
    const job = await settled(flagged, 60_000);
    expect(job).toMatchObject({ status: 'failed', error: { code: 'provider_rejected' } });
    expect(job.response?.statusCode).toBe(403);
    const after = await submitter.submit(model);
    expect((await settled(after)).status).toBe('completed');
  });
});
