import { Cluster, type Redis } from 'ioredis';
import type { RedisConnection } from './connect.ts';
import { readNodeMemory, type RedisMemory } from './memory-watch.ts';

/** What a Redis node reports; a cluster has one report for each master. */
export interface RedisReport {
  /** `Redis` or `Valkey`. */
  server: string;
  version: string;
  memory: RedisMemory;
  /** Null unless the last write of its append-only file failed. */
  writeError: string | null;
  /** Its clock. */
  nowMs: number;
  /** Duration of that read, which is the uncertainty of `nowMs`. */
  tookMs: number;
}

/** @param monotonic the caller's monotonic clock, in milliseconds */
export async function inspectRedis(
  connection: RedisConnection,
  monotonic: () => number,
): Promise<RedisReport[]> {
  const nodes: Redis[] = connection instanceof Cluster ? connection.nodes('master') : [connection];
  return await Promise.all(
    nodes.map(async (node) => {
      const info = await node.info();
      const startedMs = monotonic();
      const [seconds, micros] = await node.time();
      const nowMs = Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
      const tookMs = monotonic() - startedMs;
      return { ...parseInfo(info), memory: await readNodeMemory(node), nowMs, tookMs };
    }),
  );
}

/** Parses the reply of `INFO`. */
export function parseInfo(info: string): Omit<RedisReport, 'memory' | 'nowMs' | 'tookMs'> {
  const read = (name: string): string | null =>
    new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? null;
  const valkey = read('valkey_version');
  const status = read('aof_last_write_status');
  return {
    server: valkey === null ? 'Redis' : 'Valkey',
    version: valkey ?? read('redis_version') ?? 'unknown',
    writeError:
      status === null || status === 'ok'
        ? null
        : `the last write of its append-only file failed (${status})`,
  };
}
