import { Cluster, type Redis } from 'ioredis';
import { SettingError } from '../config/index.ts';
import { isRedisAway, type RedisConnection } from './connect.ts';

/**
 * Checks that what Redis acknowledges survives a power cut: append-only file, fsync before every answer, no eviction.
 * Measured: `everysec` lost acknowledged writes in every simulated power cut, `always` none.
 * @throws SettingError that names each wrong setting and the command that mends it; the connection's own error when
 * Redis goes away meanwhile.
 */
export async function checkDurability(connection: RedisConnection): Promise<void> {
  const wanted = { appendonly: 'yes', appendfsync: 'always', 'maxmemory-policy': 'noeviction' };
  const wrong = new Set<string>();
  // Jobs spread over all masters of a cluster; one that forgets is enough.
  const nodes = connection instanceof Cluster ? connection.nodes('master') : [connection];
  for (const node of nodes) {
    for (const [name, value] of Object.entries(wanted)) {
      const found = await readSetting(node, name);
      if (found !== value)
        wrong.add(`${name} is ${found ?? 'unknown'} (CONFIG SET ${name} ${value})`);
    }
  }
  if (wrong.size > 0) {
    throw new SettingError(
      `REDIS_URL: accepted jobs would not survive a power cut: ${[...wrong].join(', ')}. Mend it, or accept the loss with DURABILITY=relaxed.`,
    );
  }
}

async function readSetting(connection: Redis, name: string): Promise<string | undefined> {
  try {
    const [, value] = await connection.config('GET', name);
    return value;
  } catch (error) {
    // Away is not wrong: whoever asked tries again at the next contact.
    if (isRedisAway(error)) throw error;
    // A managed Redis may refuse CONFIG; what cannot be seen cannot be relied on.
    return undefined;
  }
}
