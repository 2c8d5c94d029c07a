import { describe, expect, it } from 'vitest';
import { readConfiguration } from '@nightshift/shared/config';
import { systemClock } from '@nightshift/shared/clock';
import type { ConductedBatch, FedLine } from '@nightshift/shared/redis';
import { createFeeder } from '../../src/batches/feeder.ts';
import type { ConductorDependencies } from '../../src/batches/conductor.ts';

const LINES = 40;

/** Feeds the first lines of a batch, and says how many of them each bundle holds. */
async function firstBundles(paces: Readonly<Record<string, number>>, models: readonly string[]) {
  const input = Array.from({ length: LINES }, (_, at) =>
    JSON.stringify({
      custom_id: `c${at}`,
      method: 'POST',
      url: '/v1/chat/completions',
      body: { model: models[at % models.length], messages: [{ role: 'user', content: 'x' }] },
    }),
  ).join('\n');
  const fed: FedLine[][] = [];
  const laneModels = new Map<string, string>();
  const feeder = createFeeder(
    { tenant: 't', id: 'batch_1', epoch: '1' },
    {
      batch: { endpoint: '/v1/chat/completions', counts: { total: LINES } },
      place: { fed: 0, line: 0, bytes: 0 },
    } as ConductedBatch,
    'files/1',
    {
      store: {
        pace: async (_conducting: unknown, laneId: string) =>
          paces[laneModels.get(laneId) ?? ''] ?? 0,
        feed: async (_c: unknown, _before: unknown, _after: unknown, bundles: FedLine[][]) => {
          fed.push(...bundles);
          return true;
        },
      },
      lanes: {
        register: async ({ id, model }: { id: string; model: string }) => {
          laneModels.set(id, model);
          return 'known';
        },
        budget: async () => ({}),
      },
      queues: { add: async () => {} },
      jobs: { confirmDeliveries: async () => {} },
      memory: { isTight: () => false },
      blobs: {
        async *read() {
          yield Buffer.from(input);
        },
      },
      configuration: readConfiguration({}, 'test', {}),
      clock: systemClock,
    } as unknown as ConductorDependencies,
  );
  try {
    await feeder.feed({ fed: 0, line: 0, bytes: 0 }, 0);
  } finally {
    await feeder.close();
  }
  return fed.map(({ length }) => length);
}

describe('the first lines of a batch', () => {
  it('are bundled by the current throughput of their lane', async () => {
    expect(await firstBundles({ m: 2000 }, ['m'])).toEqual([10, 10, 10, 10]);
  });

  it('are fed one by one to an idle lane', async () => {
    expect(await firstBundles({}, ['m'])).toEqual(Array.from({ length: LINES }, () => 1));
  });

  it('are bundled for each lane by its share of them', async () => {
    const sizes = await firstBundles({ m: 2000, n: 2000 }, ['m', 'n']);
    expect(sizes).toEqual([10, 10, 10, 10]);
  });
});
