import { EventEmitter } from 'node:events';
import { SettingError } from '@nightshift/shared/config';
import type { RedisConnection } from '@nightshift/shared/redis';
import { createLogger } from '@nightshift/shared/telemetry';
import { expect, it, onTestFinished } from 'vitest';
import { checkFitness } from '../../src/fitness.ts';

const logger = createLogger('test', 'silent');
const durable = { appendonly: 'yes', appendfsync: 'always', 'maxmemory-policy': 'noeviction' };

/** A connection that answers CONFIG GET; `failing` says with which error. */
function fakeRedis(settings: Record<string, string>, failing?: () => Error | undefined) {
  const emitter = new EventEmitter();
  return Object.assign(emitter, {
    status: 'connecting',
    config: async (_get: string, name: string) => {
      const error = failing?.();
      if (error !== undefined) throw error;
      return [name, settings[name]];
    },
  });
}
function check(redis: EventEmitter, isRelaxed = false) {
  const unfit: SettingError[] = [];
  const fitness = checkFitness({
    redis: redis as unknown as RedisConnection,
    isRelaxed,
    logger,
    onUnfit: (error) => unfit.push(error),
  });
  onTestFinished(() => {
    fitness.stop();
  });
  return { fitness, unfit };
}
const turn = async () => new Promise((resolve) => setImmediate(resolve));

it('is fit once a durable Redis has answered', async () => {
  const redis = fakeRedis(durable);
  const { fitness } = check(redis);
  expect(fitness.isFit()).toBe(false);
  redis.emit('ready');
  await fitness.firstLook;
  expect(fitness.isFit()).toBe(true);
});

it('rejects at the start when Redis answers and is not durable', async () => {
  const redis = fakeRedis({ ...durable, appendfsync: 'everysec' });
  const { fitness, unfit } = check(redis);
  redis.emit('ready');
  await expect(fitness.firstLook).rejects.toThrow(SettingError);
  expect(fitness.isFit()).toBe(false);
  expect(unfit).toEqual([]);
});

it('tells later when Redis was away at the start', async () => {
  const redis = fakeRedis({ ...durable, appendonly: 'no' });
  const { fitness, unfit } = check(redis);
  redis.emit('error', new Error('connect ECONNREFUSED'));
  await fitness.firstLook;
  redis.emit('ready');
  await turn();
  expect(unfit.map(({ message }) => message)).toEqual([
    expect.stringContaining('appendonly is no'),
  ]);
  expect(fitness.isFit()).toBe(false);
});

it('asks again when Redis went away before it could say', async () => {
  let isAway = true;
  const redis = fakeRedis(durable, () => (isAway ? new Error('Connection is closed.') : undefined));
  const { fitness, unfit } = check(redis);
  redis.emit('ready');
  await turn();
  redis.emit('error', new Error('closed'));
  await fitness.firstLook;
  isAway = false;
  redis.emit('ready');
  await turn();
  expect(fitness.isFit()).toBe(true);
  expect(unfit).toEqual([]);
});

it('takes any Redis when the loss is accepted', async () => {
  const redis = fakeRedis({});
  const { fitness } = check(redis, true);
  redis.emit('ready');
  await fitness.firstLook;
  expect(fitness.isFit()).toBe(true);
});
