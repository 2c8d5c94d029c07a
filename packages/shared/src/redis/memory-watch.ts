import { Cluster, type Redis } from 'ioredis';
import type { Logger } from '../telemetry/index.ts';
import { isRedisAway, type RedisConnection } from './connect.ts';
import { readScript } from './scripts.ts';

const LOOK_MS = 1000;

/** Memory of the fullest master. */
export interface RedisMemory {
  usedBytes: number;
  /** 0 without a limit. */
  limitBytes: number;
  /** Above this new work is refused, so that accepted work can complete; see lua/lib/memory.lua. */
  admissionBytes: number;
}

export interface MemoryWatch {
  readonly memory: RedisMemory;
  /** Memory use has reached the reserve for accepted work, so new work is refused. */
  isTight(): boolean;
  /** Redis has reached maxmemory and refuses every write that is not flagged `allow-oom`. */
  isFull(): boolean;
  stop(): void;
}

/** A job of the usual largest size needs about so much while it is accepted; of a small Redis a twentieth. */
const ROOM = { bytes: 2_000_000, share: 0.05 };

/** New work is refused, or soon will be: a large job finds no room above the reserve. */
export function isReserveTouched({ usedBytes, limitBytes, admissionBytes }: RedisMemory): boolean {
  const room = Math.min(ROOM.bytes, ROOM.share * limitBytes);
  return limitBytes > 0 && usedBytes > admissionBytes - room;
}

const unknown: RedisMemory = { usedBytes: 0, limitBytes: 0, admissionBytes: 0 };

/**
 * Reads Redis' memory once a second. Only for uses where a value one second old is good enough; the accepting scripts read it
 * themselves.
 */
export function watchMemory({
  redis,
  logger,
  intervalMs = LOOK_MS,
}: {
  redis: RedisConnection;
  logger: Logger;
  intervalMs?: number;
}): MemoryWatch {
  let memory = unknown;
  let isLooking = false;
  const isTight = (): boolean => isReserveTouched(memory);
  const look = async (): Promise<void> => {
    if (isLooking || redis.status !== 'ready') return;
    isLooking = true;
    try {
      const wasTight = isTight();
      memory = await readMemory(redis);
      if (isTight() !== wasTight) {
        logger.warn({ ...memory }, wasTight ? 'redis.has_room' : 'redis.nearly_full');
      }
    } catch (error) {
      if (!isRedisAway(error)) logger.warn({ reason: (error as Error).message }, 'redis.no_info');
    } finally {
      isLooking = false;
    }
  };
  const timer = setInterval(() => void look(), intervalMs).unref();
  void look();
  return {
    get memory() {
      return memory;
    },
    isTight,
    isFull: () => memory.limitBytes > 0 && memory.usedBytes >= memory.limitBytes,
    stop: () => {
      clearInterval(timer);
    },
  };
}

const script = readScript('read-memory');

async function readMemory(redis: RedisConnection): Promise<RedisMemory> {
  const nodes = redis instanceof Cluster ? redis.nodes('master') : [redis];
  return fullest(await Promise.all(nodes.map(async (node) => readNodeMemory(node))));
}

/** Memory of one master. */
export async function readNodeMemory(node: Redis): Promise<RedisMemory> {
  return parseMemory(await node.eval(script, 0));
}

function parseMemory(reply: unknown): RedisMemory {
  const [usedBytes = 0, limitBytes = 0, admissionBytes = 0] = reply as number[];
  return { usedBytes, limitBytes, admissionBytes };
}

/** The fullest master counts, since some of the jobs are stored there. */
export function fullest(all: readonly RedisMemory[]): RedisMemory {
  const share = ({ usedBytes, limitBytes }: RedisMemory): number =>
    limitBytes === 0 ? 0 : usedBytes / limitBytes;
  return all.reduce((worst, one) => (share(one) > share(worst) ? one : worst), all[0] ?? unknown);
}
