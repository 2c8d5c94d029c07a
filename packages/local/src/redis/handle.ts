/** Where a Redis came from. */
export type RedisKind = 'url' | 'server' | 'testcontainers' | 'compose';

/**
 * A Redis that serves. The ways of hurting it reject for `kind: 'url'`: that Redis belongs to someone else.
 */
export interface RedisHandle {
  readonly url: string;
  readonly kind: RedisKind;
  /** One line for people: what it is, where it listens, where its data is. */
  readonly describe: string;
  /** Only of a server that we started ourselves; another one after `restart()`. */
  readonly pid?: number;
  /** SIGKILL, then waits for its end. Does nothing if it is not running. */
  kill9(): Promise<void>;
  /** Starts it again on the same port and data, after `kill9()` or from running (SIGTERM first). Waits until it serves. */
  restart(): Promise<void>;
  /** SIGSTOP: it keeps its connections and answers nothing. */
  freeze(): Promise<void>;
  /** SIGCONT. */
  thaw(): Promise<void>;
  /** Ends it and removes temporary data; leaves a Redis that was there before alone. Can be called twice. */
  stop(): Promise<void>;
}

/** What looking in one place led to. */
export type Found = { kind: 'serves'; redis: RedisHandle } | { kind: 'declined'; why: string };

/**
 * What durability asks of every Redis that we start: every write is on disk before it is
 * acknowledged, and a full one refuses instead of forgetting.
 */
export const DURABLE: readonly string[] = [
  '--appendonly',
  'yes',
  '--appendfsync',
  'always',
  '--maxmemory-policy',
  'noeviction',
  '--save',
  '',
];
