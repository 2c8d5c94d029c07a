import { Cluster, Redis, type RedisOptions } from 'ioredis';
import type { Logger } from '../telemetry/index.ts';
import { atEndOfTurn } from './end-of-turn.ts';

/** A connection to a standalone Redis, to Sentinel's master, or to a cluster. */
export type RedisConnection = Redis | Cluster;

/**
 * How a connection behaves while Redis is away. `request` fails at once, so that a caller gets a 503 and nothing
 * piles up; `durable` waits and sends again after the reconnect, since an answer in hand must not be dropped.
 */
export type ConnectionKind = 'request' | 'durable';

/** ioredis backs off to 20 s by itself; an outage must not outlast itself by that much. */
const retryStrategy = (times: number): number => Math.min(25 * 2 ** Math.min(times, 6), 1000);

/**
 * A frozen Redis keeps its connections open and answers nothing; requests give up after this long without a byte.
 * Watched on the socket: ioredis' time-out for each command is a timer for each command.
 */
const REQUEST_TIMEOUT_MS = 5000;

/**
 * Sends the commands of one turn of the event loop in one write. ioredis writes each by itself: under load that is a
 * system call here and an fsync of the append-only file there for every single command. Unlike ioredis' own
 * auto-pipelining this leaves the commands what they are, so that each is sent again after a reconnect.
 */
function gatherWrites(connection: RedisConnection): void {
  if (connection instanceof Cluster) {
    connection.on('+node', gatherWrites);
    return;
  }
  connection.on('connect', () => {
    const { stream } = connection;
    const write = stream.write.bind(stream) as (...args: unknown[]) => boolean;
    let isGathering = false;
    stream.write = (...args: unknown[]): boolean => {
      if (!isGathering) {
        isGathering = true;
        stream.cork();
        atEndOfTurn('write', () => {
          isGathering = false;
          stream.uncork();
        });
      }
      return write(...args);
    };
  });
}

type Options = Omit<RedisOptions, 'replyMapping'>;

function optionsOf(kind: ConnectionKind): Options {
  const common: Options = { retryStrategy, enableReadyCheck: true, connectTimeout: 5000 };
  return kind === 'durable'
    ? { ...common, maxRetriesPerRequest: null }
    : {
        ...common,
        maxRetriesPerRequest: 0,
        enableOfflineQueue: false,
        socketTimeout: REQUEST_TIMEOUT_MS,
      };
}

/**
 * Opens a connection; it keeps trying for as long as it lives.
 * @param url `redis://`, `rediss://`, `redis+sentinel://HOST:PORT,…/MASTER[/DB]` or `redis+cluster://HOST:PORT,…`
 */
export function connectRedis(url: string, kind: ConnectionKind, logger: Logger): RedisConnection {
  const connection = open(url, optionsOf(kind));
  gatherWrites(connection);
  let away = false;
  connection.on('error', (error: Error) => {
    if (away) return;
    away = true;
    logger.warn({ err: { message: error.message } }, 'redis.away');
  });
  connection.on('ready', () => {
    if (away) logger.info('redis.back');
    away = false;
  });
  return connection;
}

function open(url: string, options: Options): RedisConnection {
  const match =
    /^(rediss?)(?:\+(sentinel|cluster))?:\/\/(?:([^@/]*)@)?([^/]+)(?:\/([^/?]*))?(?:\/(\d+))?/.exec(
      url,
    );
  const [, scheme, mode, credentials, hosts = '', first, db] = match ?? [];
  if (mode === undefined) return new Redis(url, options);
  const [username, password] = (credentials ?? '').split(':').map(decodeURIComponent);
  const secure = scheme === 'rediss' ? { tls: {} } : {};
  const login = { ...(username ? { username } : {}), ...(password ? { password } : {}) };
  const nodes = hosts.split(',').map((entry) => {
    const [host = '127.0.0.1', port = mode === 'sentinel' ? '26379' : '6379'] = entry.split(':');
    return { host, port: Number(port) };
  });
  if (mode === 'sentinel') {
    return new Redis({
      ...options,
      ...login,
      ...secure,
      sentinels: nodes,
      name: first || 'mymaster',
      db: Number(db ?? 0),
    });
  }
  const { retryStrategy: _ofOneNode, ...redisOptions } = options;
  return new Cluster(nodes, {
    redisOptions: { ...redisOptions, ...login, ...secure },
    enableOfflineQueue: options.enableOfflineQueue ?? true,
    clusterRetryStrategy: retryStrategy,
  });
}

/** Resolves when the connection serves; rejects with the signal's reason when aborted first. */
export async function whenReady(connection: RedisConnection, signal?: AbortSignal): Promise<void> {
  if (connection.status === 'ready') return;
  await new Promise<void>((resolve, reject) => {
    const onAbort = (): void => {
      connection.off('ready', onReady);
      reject(signal?.reason as Error);
    };
    const onReady = (): void => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    };
    connection.once('ready', onReady);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** Whether an error means that Redis is away, frozen, starting up or cannot write, and not that a command was wrong. */
export function isRedisAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code } = error as NodeJS.ErrnoException;
  return (
    error.name === 'MaxRetriesPerRequestError' ||
    error.name === 'ClusterAllFailedError' ||
    code === 'ECONNREFUSED' ||
    code === 'ECONNRESET' ||
    code === 'EPIPE' ||
    code === 'ETIMEDOUT' ||
    /Connection is closed|Socket timeout|Stream isn't writeable|Command timed out|^LOADING|^MASTERDOWN|^READONLY|^MISCONF|^CLUSTERDOWN|max retries per request/.test(
      error.message,
    )
  );
}

/** Whether an error means that Redis refuses writes because it is full. */
export function isRedisFull(error: unknown): boolean {
  return (
    error instanceof Error && /^OOM |-OOM |command not allowed when used memory/.test(error.message)
  );
}
