import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import {
  connectRedis,
  defineScript,
  whenReady,
  type RedisConnection,
} from '../../src/redis/index.ts';
import { createLogger } from '../../src/telemetry/index.ts';

const logger = createLogger('test', 'silent');
const ECHO = 'return { KEYS[1], ARGV[1], #ARGV[2], tonumber(ARGV[3]) }';

describe('a script', () => {
  let redis: RedisConnection;
  beforeAll(async () => {
    redis = connectRedis(inject('redisUrl'), 'durable', logger);
    await whenReady(redis);
  });
  afterAll(() => {
    redis.disconnect();
  });

  it('gets keys, texts, bytes and numbers, and gives its reply as text', async () => {
    const echo = defineScript(redis, ECHO);
    const args = ['ä', Buffer.from([0, 255, 13, 10]), 7];
    for (let call = 0; call < 2; call += 1) {
      expect(await echo(['key'], args)).toEqual(['key', 'ä', 4, 7]);
    }
  });

  it('is loaded again when the server has forgotten it', async () => {
    const echo = defineScript(redis, ECHO);
    await echo(['key'], ['a', 'b', 1]);
    await redis.script('FLUSH');
    const replies = await Promise.all([1, 2, 3].map(async (call) => echo(['key'], ['', '', call])));
    expect(replies.map((reply) => (reply as unknown[])[3])).toEqual([1, 2, 3]);
  });

  it('rejects with the words of the server, and can be called again', async () => {
    const picky = defineScript(
      redis,
      "if ARGV[1] == 'no' then error('no such thing') end return 1",
    );
    await expect(picky([], ['no'])).rejects.toThrow('no such thing');
    expect(await picky([], ['yes'])).toBe(1);
    await expect(picky([], ['no'])).rejects.toThrow('no such thing');
  });

  it('rejects on a connection that is closed', async () => {
    const closed = connectRedis(inject('redisUrl'), 'request', logger);
    await whenReady(closed);
    const echo = defineScript(closed, ECHO);
    await echo(['key'], ['a', 'b', 1]);
    closed.disconnect();
    await expect(echo(['key'], ['a', 'b', 1])).rejects.toThrow(
      /Connection is closed|Stream isn't writeable/,
    );
  });
});
