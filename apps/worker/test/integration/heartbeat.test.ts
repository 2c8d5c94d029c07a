import { eventually, type Child } from '@nightshift/local';
import type { FleetWorker } from '@nightshift/shared/fleet';
import { createWorkerStore, loadScripts } from '@nightshift/shared/redis';
import { afterEach, beforeEach, expect, inject, it } from 'vitest';
import {
  createProviderForTest,
  createSubmitter,
  startWorkerProcess,
  type ProviderForTest,
  type Submitter,
} from '../support.ts';

let provider: ProviderForTest;
let submitter: Submitter;
const children: Child[] = [];

beforeEach(async () => {
  [provider, submitter] = await Promise.all([
    createProviderForTest(),
    createSubmitter(inject('redisUrl')),
  ]);
});
afterEach(async () => {
  for (const child of children.splice(0)) {
    child.signal('SIGCONT');
    if (child.exit === null) await child.stop();
  }
  await submitter.close();
  await provider.stop();
});

const startWorker = async (env: Record<string, string> = {}): Promise<Child> => {
  const child = await startWorkerProcess(inject('redisUrl'), submitter.prefix, provider.url, env);
  children.push(child);
  return child;
};
const workers = async (): Promise<readonly FleetWorker[]> => {
  const { redis, keys } = submitter;
  return (await createWorkerStore({ run: loadScripts(redis), keys }).all()).workers;
};
/** Without the one of its thread or its rescuer: a worker is one process. */
const only = async (): Promise<FleetWorker | undefined> => (await workers())[0];

it('a worker is listed once it is ready, reports its load, and leaves the list when it stops', async () => {
  await provider.configure({ latency: { kind: 'fixed', ms: 60_000 } });
  const child = await startWorker({ WORKER_CONCURRENCY: '7', WORKER_DRAIN_MS: '5000' });
  expect(await workers()).toEqual([
    {
      ...{ id: expect.stringMatching(/^worker_[0-9a-f]{32}$/), pid: child.pid, slots: 7 },
      ...{ state: 'alive', slotsUsed: 0, lanes: 0 },
      ...{ host: expect.any(String), version: expect.stringMatching(/^\d+\.\d+\.\d+/) },
      ...{ startedAtMs: expect.any(Number), lastSeenAtMs: expect.any(Number) },
    },
  ]);
  await Promise.all([1, 2, 3].map(async () => submitter.submit('gpt-4o-mini')));
  await eventually(async () => (await only())?.slotsUsed === 3, { timeoutMs: 20_000 });
  expect(await only()).toMatchObject({ lanes: 1, state: 'alive' });
  child.signal('SIGTERM');
  await eventually(async () => (await only())?.state === 'stopping');
  await child.exited;
  expect(await workers()).toEqual([]);
});

it('a frozen worker is silent within 15 s, and alive again when it is woken', async () => {
  const child = await startWorker();
  const before = await only();
  child.signal('SIGSTOP');
  const frozenAt = performance.now();
  const frozen = await eventually(
    async () => {
      const worker = await only();
      return worker?.state === 'silent' && worker;
    },
    { timeoutMs: 20_000 },
  );
  expect(performance.now() - frozenAt).toBeLessThan(15_000);
  expect(frozen).toMatchObject({ pid: child.pid, startedAtMs: before?.startedAtMs });
  child.signal('SIGCONT');
  await eventually(async () => (await only())?.state === 'alive');
});

it('a killed worker is silent', async () => {
  const child = await startWorker();
  await child.kill9();
  await eventually(async () => (await only())?.state === 'silent', { timeoutMs: 20_000 });
});
