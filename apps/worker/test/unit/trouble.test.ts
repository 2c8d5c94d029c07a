import {
  BlobNotFoundError,
  BlobStoreFullError,
  BlobStoreUnavailableError,
} from '@nightshift/blobs';
import type { Batch } from '@nightshift/shared/batch';
import type { ConductorStore } from '@nightshift/shared/redis';
import type { Logger } from '@nightshift/shared/telemetry';
import { expect, it } from 'vitest';
import { createTrouble, heldUpBy } from '../../src/batches/trouble.ts';

const at = 'file:/data/blobs';
const full = (what: string) =>
  new BlobStoreFullError(`${what}: ENOSPC`, {
    cause: Object.assign(new Error(`ENOSPC: no space left on device, write '${what}'`), {
      code: 'ENOSPC',
    }),
  });

it('maps errors to reasons to wait, and other errors to none', () => {
  expect(heldUpBy(full('a'), at)).toEqual({
    reason: 'storage',
    message: expect.stringContaining('The blob store file:/data/blobs is full: ENOSPC'),
  });
  for (const error of [new BlobStoreUnavailableError('EACCES'), new BlobNotFoundError('files/1')]) {
    expect(heldUpBy(error, at)).toMatchObject({
      reason: 'storage',
      message: expect.stringContaining('cannot be used'),
    });
  }
  const oom = new Error("OOM command not allowed when used memory > 'maxmemory'.");
  expect(heldUpBy(oom, at)).toMatchObject({ reason: 'redis_full' });
  expect(heldUpBy(new Error('the batch stands elsewhere'), at)).toBeNull();
});

it('updates the record and the log once at the beginning and once at the end, however many tries fail', async () => {
  const lines: [string, string][] = [];
  const logger = Object.fromEntries(
    ['debug', 'warn'].map((level) => [
      level,
      (_fields: unknown, event: string) => lines.push([level, event]),
    ]),
  ) as unknown as Logger;
  const told: Batch['heldUp'][] = [];
  let isAway = true;
  const store = {
    holdUp: async (_conducting: unknown, heldUp: Batch['heldUp']) => {
      if (isAway) throw new Error('away');
      told.push(heldUp);
    },
  } as unknown as ConductorStore;
  const trouble = createTrouble(
    { tenant: 't', id: 'b', epoch: '1' },
    { store, blobsAt: at, logger },
  );
  const batch = (heldUp: Batch['heldUp']) => ({ heldUp }) as Batch;

  await trouble.met(full('try-1'));
  expect(told).toEqual([]);
  isAway = false;
  await trouble.met(full('try-2'));
  await trouble.met(full('try-3'));
  expect(told).toEqual([expect.objectContaining({ reason: 'storage' })]);
  await trouble.over(batch(told[0] ?? null));
  await trouble.over(batch(null));
  expect(told).toEqual([expect.objectContaining({ reason: 'storage' }), null]);
  expect(lines.map(([level, event]) => `${level} ${event}`)).toEqual([
    'warn batch.held_up',
    'warn batch.held_up',
    'debug batch.held_up',
    'warn batch.resumed',
  ]);
});
