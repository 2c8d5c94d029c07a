import type { Clock } from '@nightshift/shared/clock';
import { SettingError } from '@nightshift/shared/config';
import {
  checkDurability,
  fullest,
  inspectRedis,
  isReserveTouched,
  whenReady,
  type RedisConnection,
  type RedisReport,
} from '@nightshift/shared/redis';
import { bytes, duration } from '../bulk/format.ts';
import { note, ok, wrong, type Check } from './check.ts';

const READY_WITHIN_MS = 3000;
const OLDEST = { Redis: 7, Valkey: 7 } as const;
const SKEW = { noteMs: 2000, wrongMs: 30_000 };

export type RedisLook =
  | { kind: 'there'; nodes: RedisReport[]; localMs: number; unsafe: string | null }
  | { kind: 'away'; reason: string };

/** Reads the state of Redis once. Waits up to three seconds for a connection. */
export async function lookAtRedis(connection: RedisConnection, clock: Clock): Promise<RedisLook> {
  let reason = `it does not answer within ${duration(READY_WITHIN_MS)}`;
  const onError = (error: Error): void => {
    reason = error.message || (error as NodeJS.ErrnoException).code || reason;
  };
  connection.on('error', onError);
  try {
    await whenReady(connection, AbortSignal.timeout(READY_WITHIN_MS));
    const nodes = await inspectRedis(connection, () => clock.monotonic());
    const localMs = clock.now();
    return { kind: 'there', nodes, localMs, unsafe: await durabilityFault(connection) };
  } catch (error) {
    const isTimeout = (error as Error).name === 'TimeoutError';
    return { kind: 'away', reason: isTimeout ? reason : (error as Error).message };
  } finally {
    connection.off('error', onError);
  }
}

async function durabilityFault(connection: RedisConnection): Promise<string | null> {
  try {
    await checkDurability(connection);
    return null;
  } catch (error) {
    if (error instanceof SettingError) return error.message.replace(/^REDIS_URL: /, '');
    throw error;
  }
}

export interface RedisSettings {
  /** The URL for display, without a password. */
  place: string;
  isRelaxed: boolean;
  /** REDIS_URL is set; else the default URL was tried. */
  isGiven: boolean;
  /** The API reports that it can reach Redis. */
  isApiReady: boolean;
}

/** @returns one check for each property of Redis */
export function judgeRedis(look: RedisLook, settings: RedisSettings): Check[] {
  const { place } = settings;
  if (look.kind === 'away') {
    if (!settings.isGiven && settings.isApiReady) {
      const remedy = 'Set REDIS_URL to the value that the API has, to check it.';
      const message = `not checked: REDIS_URL is not set, and no Redis answers at ${place}; the API uses another one`;
      return [note('redis', message, remedy)];
    }
    const message = `Redis at ${place} is away: ${look.reason}`;
    const remedy = settings.isGiven
      ? 'Start it, or correct REDIS_URL. Accepted work waits; workers continue by themselves when it is back.'
      : 'Start it, or set REDIS_URL. Accepted work waits; workers continue by themselves when it is back.';
    return [wrong('redis_away', 'redis', message, remedy)];
  }
  const [first] = look.nodes;
  const about = first === undefined ? 'no master' : `${first.server} ${first.version}`;
  return [
    ok('redis', `${place} answers: ${about}`),
    ...look.nodes.flatMap(judgeVersion),
    judgeMemory(look.nodes),
    judgeDurability(look, settings.isRelaxed),
    judgeClock(look),
  ];
}

function judgeVersion({ server, version }: RedisReport): Check[] {
  const major = Number.parseInt(version, 10);
  const oldest = server === 'Valkey' ? OLDEST.Valkey : OLDEST.Redis;
  if (!(major < oldest)) return [];
  const message = `${server} is ${version}; Nightshift needs ${oldest}.0 or later`;
  return [wrong('redis_too_old', 'redis', message, 'Upgrade it.')];
}

function judgeMemory(nodes: readonly RedisReport[]): Check {
  if (nodes.length === 0) return note('redis memory', 'unknown');
  const memory = fullest(nodes.map((node) => node.memory));
  const { usedBytes, limitBytes, admissionBytes } = memory;
  if (limitBytes === 0) return ok('redis memory', `${bytes(usedBytes)} used, no maxmemory`);
  const figures = `${bytes(usedBytes)} of ${bytes(limitBytes)} used`;
  if (!isReserveTouched(memory)) return ok('redis memory', figures);
  return wrong(
    'redis_full',
    'redis memory',
    `Redis is full: ${figures}, and new work is refused above ${bytes(admissionBytes)}`,
    'Raise its maxmemory. Accepted work continues, and frees memory as its retention ends.',
  );
}

function judgeDurability(
  { nodes, unsafe }: Extract<RedisLook, { kind: 'there' }>,
  isRelaxed: boolean,
): Check {
  const failing = nodes.find(({ writeError }) => writeError !== null);
  if (failing !== undefined) {
    const message = `Redis cannot persist what it acknowledges: ${failing.writeError}`;
    return wrong('redis_not_durable', 'redis on disk', message, 'Free space on its disk.');
  }
  if (unsafe === null) {
    return ok('redis on disk', 'append-only file, fsynced before every answer; no eviction');
  }
  if (isRelaxed) return note('redis on disk', `DURABILITY=relaxed: ${unsafe.split('. ')[0]}`);
  const [fault = '', ...remedy] = unsafe.split('. ');
  return wrong(
    'redis_not_durable',
    'redis on disk',
    `Redis is not durable: ${fault}`,
    remedy.join('. '),
  );
}

function judgeClock({ nodes, localMs }: Extract<RedisLook, { kind: 'there' }>): Check {
  const skews = nodes.map(({ nowMs, tookMs }) => Math.max(0, Math.abs(nowMs - localMs) - tookMs));
  return judgeSkew('clock', Math.max(0, ...skews), "Redis' clock");
}

export function judgeSkew(name: string, skewMs: number, whose: string): Check {
  if (skewMs <= SKEW.noteMs) return ok(name, `agrees with ${whose}`);
  const message = `This machine's clock and ${whose} differ by ${duration(skewMs)}`;
  const remedy = 'Synchronise both with a time server (NTP).';
  return skewMs > SKEW.wrongMs
    ? wrong('clock', name, message, remedy)
    : note(name, message, remedy);
}
