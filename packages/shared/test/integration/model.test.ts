import fc from 'fast-check';
import { afterEach, expect, inject, test } from 'vitest';
import { jobCommands, type Real } from '../support/job-commands.ts';
import { newModel, type Model } from '../support/job-model.ts';
import { newTenant, openStores, type Stores, type StoresOptions } from '../support/stores.ts';

let stores: Stores | undefined;
afterEach(async () => {
  await stores?.close();
  stores = undefined;
});

/** Runs random sequences of moves against the scripts and against the rules written out in TypeScript. */
const lives = async (sabotage?: StoresOptions['sabotage'], numRuns = 300) => {
  const opened = await openStores(inject('redisUrl'), sabotage === undefined ? {} : { sabotage });
  stores = opened;
  const seen = new Set<string>();
  const property = fc.asyncProperty(jobCommands, async (commands) => {
    let model: Model | undefined;
    await fc.asyncModelRun((): { model: Model; real: Real } => {
      model = newModel();
      return { model, real: { stores: opened, tenant: newTenant() } };
    }, commands);
    for (const job of model?.jobs ?? []) {
      seen.add(job.status);
      if (job.rescues > 0) seen.add('rescued');
      if (job.rescues > 3) seen.add('quarantined');
      if (job.delivery > 1) seen.add('delivered again');
    }
  });
  return { details: await fc.check(property, { numRuns }), seen };
};

test('whatever happens to a job in whatever order, the scripts do what the rules say', async () => {
  const { details, seen } = await lives();
  if (details.failed) {
    throw new Error(fc.defaultReportMessage(details) ?? 'failed', { cause: details.errorInstance });
  }
  expect([...seen].toSorted()).toEqual(
    [
      ...['queued', 'in_progress', 'completed', 'failed', 'cancelled', 'expired'],
      ...['rescued', 'delivered again', 'quarantined'],
    ].toSorted(),
  );
}, 300_000);

test('without the fence it turns red', async () => {
  const { details } = await lives((run, redis) => async (name, keys, args) => {
    if (name !== 'settle-job') return run(name, keys, args);
    const current = await redis.hget(keys[5]!, 'generation');
    return run(name, keys, args.with(5, current ?? ''));
  });
  expect(details.failed).toBe(true);
}, 300_000);

test('without the outbox entry of a delayed delivery it turns red', async () => {
  const { details } = await lives((run, redis) => async (name, keys, args) => {
    const reply = await run(name, keys, args);
    if (name === 'release-job') await redis.del(keys[2]!);
    return reply;
  });
  expect(details.failed).toBe(true);
}, 300_000);

test('with a terminal record that is written over it turns red', async () => {
  const { details } = await lives((run, redis) => async (name, keys, args) => {
    const reply = await run(name, keys, args);
    if (name === 'settle-job') await redis.hset(keys[5]!, 'response_body', String(args.at(-3)));
    return reply;
  });
  expect(details.failed).toBe(true);
  expect(String(details.errorInstance)).toContain('a terminal record changed');
}, 300_000);
