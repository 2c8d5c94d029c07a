import { createHash } from 'node:crypto';
import type { RedisConnection } from './connect.ts';
import { sendLarge, type CommandArguments } from './send-large.ts';

/** Runs a script: sent by its hash, loaded again by itself after a restart or a SCRIPT FLUSH. */
export type Script = (keys: readonly string[], args: CommandArguments) => Promise<unknown>;

/** What ioredis' `defineCommand` does, with commands that let go of what they carried: bodies of jobs travel in ours. */
export function defineScript(connection: RedisConnection, lua: string): Script {
  const hash = createHash('sha1').update(lua).digest('hex');
  let isLoaded = false;
  return async (keys, args) => {
    if (isLoaded) {
      try {
        return await sendLarge(connection, 'evalsha', [hash, keys.length, ...keys, ...args]);
      } catch (error) {
        if (!(error as Error).message.startsWith('NOSCRIPT')) throw error;
      }
    }
    const reply = await sendLarge(connection, 'eval', [lua, keys.length, ...keys, ...args]);
    isLoaded = true;
    return reply;
  };
}
