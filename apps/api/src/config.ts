import { createHash } from 'node:crypto';
import { z } from 'zod';
import {
  commonEnvironment,
  loadConfiguration,
  parseEnvironment,
  SettingError,
  wholeNumber,
  type Configuration,
} from '@nightshift/shared/config';
import type { LogLevel } from '@nightshift/shared/telemetry';
import { isLoopbackHost } from './loopback.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** A key by its SHA-256, so that the key itself is not kept and all comparisons take the same time. */
export interface ApiKey {
  tenant: string;
  digest: Buffer;
}

export interface ApiSettings {
  redisUrl: string;
  logLevel: LogLevel;
  keyPrefix: string;
  durability: 'strict' | 'relaxed';
  host: string;
  port: number;
  keys: readonly ApiKey[];
  configuration: Configuration;
}

const apiEnvironment = commonEnvironment.extend({
  HOST: z
    .string()
    .regex(/^[a-z0-9.:_-]+$/i, 'must be a host name or an address')
    .default('127.0.0.1'),
  PORT: wholeNumber(0, 65_535).default(3000),
  NIGHTSHIFT_API_KEYS: z.string().optional(),
});

/** @throws SettingError for the first wrong variable. */
export function readSettings(environment: Environment): ApiSettings {
  const parsed = parseEnvironment(apiEnvironment, environment);
  const keys = parseApiKeys(parsed.NIGHTSHIFT_API_KEYS ?? '');
  if (keys.length === 0 && !isLoopbackHost(parsed.HOST)) {
    throw new SettingError(
      `HOST: must be a loopback address such as 127.0.0.1 while NIGHTSHIFT_API_KEYS is not set (without keys everyone is let in), got "${parsed.HOST}"`,
    );
  }
  return {
    redisUrl: parsed.REDIS_URL,
    logLevel: parsed.LOG_LEVEL,
    keyPrefix: parsed.NIGHTSHIFT_KEY_PREFIX,
    durability: parsed.DURABILITY,
    host: parsed.HOST,
    port: parsed.PORT,
    keys,
    configuration: loadConfiguration(environment),
  };
}

/**
 * Reads `tenant:key,tenant:key`. A tenant may have several keys.
 * @throws SettingError that names the entry by its place and never repeats it.
 */
export function parseApiKeys(text: string): ApiKey[] {
  const keys: ApiKey[] = [];
  const entries = text
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
  for (const [index, entry] of entries.entries()) {
    const wrong = (rule: string): SettingError =>
      new SettingError(`NIGHTSHIFT_API_KEYS: entry ${index + 1} must ${rule}, got (hidden)`);
    const [, tenant, key] = /^([^:]*):(.*)$/.exec(entry) ?? [];
    if (tenant === undefined || key === undefined) throw wrong('be TENANT:KEY');
    if (!/^[A-Za-z0-9_-]{1,64}$/.test(tenant)) {
      throw wrong('begin with a tenant of 1 to 64 letters, digits, - or _');
    }
    if (!/^[\x21-\x7e]{8,512}$/.test(key)) {
      throw wrong('have a key of 8 to 512 visible ASCII characters');
    }
    const digest = sha256(key);
    if (keys.some((other) => other.digest.equals(digest) && other.tenant !== tenant)) {
      throw wrong('have a key that no other tenant has');
    }
    keys.push({ tenant, digest });
  }
  return keys;
}

export function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
