import { Redis } from 'ioredis';

/** What a Redis has done since a moment. */
export interface RedisCommands {
  /** All commands, those inside scripts included. */
  all: number;
  /** Scripts, each of them one round trip or part of a pipeline. */
  scripts: number;
}

const SCRIPTS = new Set(['eval', 'evalsha', 'eval_ro', 'evalsha_ro', 'fcall', 'fcall_ro']);

/** Counts of `INFO commandstats`: lines like `cmdstat_evalsha:calls=12,usec=…`. */
export function parseCommandStats(info: string): RedisCommands {
  const counts: RedisCommands = { all: 0, scripts: 0 };
  for (const [, name = '', calls] of info.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)) {
    counts.all += Number(calls);
    if (SCRIPTS.has(name)) counts.scripts += Number(calls);
  }
  return counts;
}

/** Starts counting; the returned function says what has been done since, once, without what counting took. */
export async function countRedisCommands(url: string): Promise<() => Promise<RedisCommands>> {
  const redis = new Redis(url);
  const read = async (): Promise<RedisCommands> =>
    parseCommandStats(await redis.info('commandstats'));
  const before = await read();
  return async () => {
    const after = await read();
    redis.disconnect();
    // An INFO is counted when it is over: the first one was added in between.
    return { all: after.all - before.all - 1, scripts: after.scripts - before.scripts };
  };
}
