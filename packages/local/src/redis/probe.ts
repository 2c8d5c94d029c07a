import { once } from 'node:events';
import { connect } from 'node:net';
import { Redis } from 'ioredis';

export interface ServerInfo {
  /** `redis_version`, or Valkey's own. */
  version: string;
  processId: number;
  /** It reads its append-only file and serves nothing yet. */
  loading: boolean;
}

const TIMEOUT_MS = 2000;

async function withClient<T>(
  url: string,
  timeoutMs: number,
  use: (client: Redis) => Promise<T>,
): Promise<T> {
  const client = new Redis(url, {
    lazyConnect: true,
    enableReadyCheck: false,
    enableOfflineQueue: true,
    maxRetriesPerRequest: 0,
    connectTimeout: timeoutMs,
    commandTimeout: timeoutMs,
    retryStrategy: () => null,
  });
  // `connect()` rejects with "Connection is closed."; what really happened comes as an event.
  let reason: Error | undefined;
  client.on('error', (error: Error) => {
    reason = error;
  });
  try {
    await client.connect();
    return await use(client);
  } catch (error) {
    throw reason ?? error;
  } finally {
    client.disconnect();
  }
}

/** Asks a Redis who it is. Rejects with the reason if it does not answer within about 2 s. */
export async function serverInfo(url: string): Promise<ServerInfo> {
  const text = await withClient(url, TIMEOUT_MS, async (client) => await client.info());
  const field = (name: string) => new RegExp(`^${name}:(.*)$`, 'm').exec(text)?.[1]?.trim() ?? '';
  return {
    version: field('valkey_version') || field('redis_version'),
    processId: Number(field('process_id')),
    loading: field('loading') === '1',
  };
}

/**
 * Rejects with the reason unless something serves at that URL within `timeoutMs` per step. A URL with several nodes, or of
 * another scheme than `redis:` and `rediss:` (Sentinel, Cluster), is only checked for a listener:
 * its meaning is the connecting program's business.
 */
export async function probeUrl(url: string, timeoutMs: number = TIMEOUT_MS): Promise<void> {
  if (/^rediss?:\/\/[^,]+$/.test(url)) {
    await withClient(url, timeoutMs, async (client) => await client.ping());
    return;
  }
  const node = /^[\w+.-]+:\/\/(?:[^@/]*@)?([^/,?]+)/.exec(url)?.[1];
  if (node === undefined) throw new Error('it is not a URL like redis://HOST:PORT');
  const [, host = '', port = '6379'] = /^(.*?)(?::(\d+))?$/.exec(node) ?? [];
  const socket = connect({ host, port: Number(port) });
  socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`${node} times out`)));
  try {
    await once(socket, 'connect');
  } finally {
    socket.destroy();
  }
}

/** The URL without its password, for messages. */
export const redacted = (url: string): string => url.replace(/\/\/([^@/]*)@/, '//***@');
