import type { LaneBudget } from '@nightshift/shared/lane';
import { expect, it } from 'vitest';
import { createTokenLimits } from '../../src/batches/token-limits.ts';

const dimension = { limit: 1, rate: 1, capacity: 1, level: 1, source: 'headers' } as const;
const budget = (more: Partial<LaneBudget>): LaneBudget => ({
  epoch: 'e',
  at: 0,
  next_at: { interactive: 0, bulk: 0 },
  ...more,
});

it.each([
  ['of which nothing is known', null, true],
  ['that nobody has called yet', budget({ cold: {} }), true],
  ['with a limit of tokens', budget({ tokens: dimension }), true],
  ['with a limit of requests only', budget({ requests: dimension }), false],
  ['without limits', budget({ concurrency: 64 }), false],
])('tokens of a lane %s: counted %s', async (_, known, isCounted) => {
  const counts = createTokenLimits({ budget: async () => known }, { monotonic: () => 0 });
  expect(await counts('lane')).toBe(isCounted);
});

it('looks again after a quarter of a second, and after a failure', async () => {
  let now = 0;
  let known: LaneBudget | null = null;
  let looks = 0;
  const budgets = async (): Promise<LaneBudget | null> => {
    looks += 1;
    if (looks === 3) throw new Error('Redis is away');
    return known;
  };
  const counts = createTokenLimits({ budget: budgets }, { monotonic: () => now });
  expect(await counts('lane')).toBe(true);
  known = budget({});
  now = 250;
  expect(await counts('lane')).toBe(true);
  now = 251;
  expect(await counts('lane')).toBe(false);
  expect(looks).toBe(2);
  now = 600;
  await expect(counts('lane')).rejects.toThrow('away');
  expect(await counts('lane')).toBe(false);
});
