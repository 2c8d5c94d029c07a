import { isRedisAway, type RedisConnection } from '@nightshift/shared/redis';
import type { Logger } from '@nightshift/shared/telemetry';

/** Above this share of `maxmemory` new work is refused, so that what was accepted has room to complete. */
const FULL_ABOVE = 0.9;

export interface MemoryGuard {
  isFull(): boolean;
  stop(): void;
}

/** Looks at Redis' memory once a second. Without a `maxmemory` nothing is ever refused. */
export function startMemoryGuard({
  redis,
  logger,
  intervalMs = 1000,
}: {
  redis: RedisConnection;
  logger: Logger;
  intervalMs?: number;
}): MemoryGuard {
  let isFull = false;
  let isLooking = false;
  const look = async (): Promise<void> => {
    if (isLooking || redis.status !== 'ready') return;
    isLooking = true;
    try {
      const { usedBytes, mostBytes } = parseMemory(await redis.info('memory'));
      const now = mostBytes > 0 && usedBytes > FULL_ABOVE * mostBytes;
      if (now !== isFull) {
        logger.warn({ usedBytes, mostBytes }, now ? 'redis.nearly_full' : 'redis.has_room');
      }
      isFull = now;
    } catch (error) {
      if (!isRedisAway(error)) logger.warn({ reason: (error as Error).message }, 'redis.no_info');
    } finally {
      isLooking = false;
    }
  };
  const timer = setInterval(() => void look(), intervalMs).unref();
  void look();
  return {
    isFull: () => isFull,
    stop: () => {
      clearInterval(timer);
    },
  };
}

/** The answer of `INFO memory`. */
export function parseMemory(info: string): { usedBytes: number; mostBytes: number } {
  const read = (name: string): number =>
    Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1] ?? 0);
  return { usedBytes: read('used_memory'), mostBytes: read('maxmemory') };
}
