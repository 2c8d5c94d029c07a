import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SettingError } from '../../src/config/index.ts';
import { laneOf } from '../../src/lane/index.ts';
import { checkDurability, isRedisFull } from '../../src/redis/index.ts';
import { redisServer, startOwnRedis, type OwnRedis } from '../support/own-redis.ts';
import {
  accepted,
  begun,
  countsOf,
  newTenant,
  openStores,
  outlive,
  started,
  type Stores,
} from '../support/stores.ts';

describe.skipIf(redisServer === undefined)('a Redis of other settings', () => {
  let server: OwnRedis;
  let stores: Stores;
  beforeAll(async () => {
    server = await startOwnRedis(['--appendonly', 'yes', '--appendfsync', 'everysec']);
    stores = await openStores(`redis://127.0.0.1:${server.port}`);
  });
  afterAll(async () => {
    await stores.close();
    await server.stop();
  });

  const complaint = async (): Promise<string> => {
    const error = await checkDurability(stores.redis).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(SettingError);
    return (error as Error).message;
  };

  test('everysec is refused, with the setting, what it is and what mends it', async () => {
    const message = await complaint();
    expect(message).toContain('appendfsync is everysec (CONFIG SET appendfsync always)');
    expect(message).toContain('DURABILITY=relaxed');
    expect(message).not.toMatch(/appendonly|maxmemory-policy|\n/);
  });

  test('each other wrong setting is named, all of them at once', async () => {
    await stores.redis.config('SET', 'maxmemory-policy', 'allkeys-lru');
    await stores.redis.config('SET', 'appendonly', 'no');
    const message = await complaint();
    expect(message).toContain('appendonly is no (CONFIG SET appendonly yes)');
    expect(message).toContain(
      'maxmemory-policy is allkeys-lru (CONFIG SET maxmemory-policy noeviction)',
    );
    await stores.redis.config('SET', 'maxmemory-policy', 'noeviction');
    await stores.redis.config('SET', 'appendonly', 'yes');
    await stores.redis.config('SET', 'appendfsync', 'always');
    await expect(checkDurability(stores.redis)).resolves.toBeUndefined();
  });

  test('settings that cannot be read count as wrong', async () => {
    await stores.redis.call('ACL', 'SETUSER', 'narrow', 'on', '>p', '~*', '+@all', '-config');
    const narrow = await openStores(`redis://narrow:p@127.0.0.1:${server.port}`);
    try {
      await expect(checkDurability(narrow.redis)).rejects.toThrow('appendfsync is unknown');
    } finally {
      await narrow.close();
    }
  });

  test('full: new work is refused, accepted work goes on to its end', async () => {
    const tenant = newTenant();
    const lane = laneOf('provider', tenant, 'default');
    const expiring = await accepted(stores, tenant, { expiresAfterMs: 60_000 });
    await outlive(stores, tenant, expiring);
    const held = await started(stores, tenant);
    const waiting = await accepted(stores, tenant);
    const unwanted = await accepted(stores, tenant);
    await stores.redis.zadd(stores.keys.tenant(tenant).outbox, 1, `${waiting}.1`);
    await stores.redis.config('SET', 'maxmemory', '1');
    try {
      const refused = await accepted(stores, tenant).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      expect(isRedisFull(refused)).toBe(true);
      expect(await stores.attempts.expireDue(tenant)).toBe(1);
      expect(await stores.jobs.cancel(tenant, unwanted)).toBe('cancelled');
      expect(await stores.attempts.takeDue(tenant, 5, 1000)).toHaveLength(1);
      const release = { reason: 'backoff', message: '', charged: true, detail: '' } as const;
      expect(await stores.attempts.release(held, { ...release, delayMs: 0 })).toBe('released');
      const claim = await begun(stores, tenant, held.jobId, 2);
      expect(
        await stores.attempts.settle(claim, {
          status: 'completed',
          response: { statusCode: 200, requestId: null, body: '{}' },
          error: null,
          usage: null,
          costUsd: null,
        }),
      ).toBe('settled');
      expect(await countsOf(stores, tenant)).toEqual({
        expired: 1,
        cancelled: 1,
        completed: 1,
        queued: 1,
      });
      await stores.lanes.cool(lane.id, 1000, 0);
      await stores.lanes.pauseForProvider(lane.id, 'forbidden', '', false);
      await stores.lanes.openAfterProbe(lane.id);
      expect(await stores.lanes.takeProbe(lane.id)).toBe(false);
      expect(await stores.jobs.list(tenant, { metadata: {} }, null, 5)).toMatchObject({
        kind: 'page',
      });
    } finally {
      await stores.redis.config('SET', 'maxmemory', '0');
    }
  });
});
