import { eventually } from '@nightshift/local';
import { createLogger } from '@nightshift/shared/telemetry';
import { expect, it } from 'vitest';
import { createConductors } from '../../src/batches/conductors.ts';

type Dependencies = Parameters<typeof createConductors>[0];

/** Conductors over nothing but a count of their looks, with a clock on which no time passes. */
function setUp() {
  const seen = { looks: 0, sleeping: 0 };
  const conductors = createConductors({
    jobs: {
      tenants: async () => {
        seen.looks += 1;
        return [];
      },
    },
    clock: {
      sleep: async (_ms: number, signal: AbortSignal) => {
        seen.sleeping += 1;
        if (signal.aborted) throw signal.reason;
        return new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
        });
      },
    },
    logger: createLogger('worker', 'silent'),
    workerId: 'worker_1',
  } as object as Dependencies);
  return { conductors, seen };
}

it('looks at once when a batch was created, and again for one that comes while it looks', async () => {
  const { conductors, seen } = setUp();
  await conductors.start();
  conductors.nudge();
  await eventually(() => seen.looks >= 1 && seen.sleeping === seen.looks);
  const before = seen.looks;
  conductors.nudge();
  await eventually(() => seen.looks > before);
  await conductors.stop();
  await conductors.stop();
  expect(seen.looks).toBe(before + 1);
});
