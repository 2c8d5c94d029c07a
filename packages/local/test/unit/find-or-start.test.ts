import { expect, test } from 'vitest';
import { findOrStartRedis } from '../../src/redis/find-or-start.ts';
import type { FindOrStartRedisOptions } from '../../src/redis/find-or-start.ts';
import type { RedisHandle, RedisKind } from '../../src/redis/handle.ts';
import type { System } from '../../src/system.ts';

interface Machine {
  env?: Record<string, string>;
  /** Program name to its `--version`, or to null when running it fails. */
  programs?: Record<string, string | null>;
  isRoot?: boolean;
  options?: Partial<FindOrStartRedisOptions>;
  starters?: FindOrStartRedisOptions['starters'];
}

const handle = (kind: RedisKind, describe = ''): RedisHandle => {
  const nothing = async (): Promise<void> => {};
  const ways = { kill9: nothing, restart: nothing, freeze: nothing, thaw: nothing, stop: nothing };
  return { url: 'redis://fake', kind, describe, ...ways };
};

/** A made-up machine: what is on its PATH, and what each program says. */
function look(machine: Machine) {
  const programs = new Map(Object.entries(machine.programs ?? {}));
  const log: string[] = [];
  const ran: string[] = [];
  const system: System = {
    env: machine.env ?? {},
    platform: 'linux',
    isRoot: machine.isRoot ?? false,
    which: (name) => (programs.has(name) ? `/fake/${name}` : null),
    run: async (command, args) => {
      const name = command.replace('/fake/', '');
      ran.push(name);
      if (args.includes('install-redis')) {
        log.push('installed');
        programs.set('redis-server', 'Redis server v=7.0.15 sha=0');
        return { code: 0, stdout: '', stderr: '' };
      }
      const answer = programs.get(name) ?? null;
      return { code: answer === null ? 1 : 0, stdout: answer ?? '', stderr: '' };
    },
  };
  const found = findOrStartRedis({
    docker: 'testcontainers',
    system,
    announce: (line) => log.push(line),
    ...machine.options,
    starters: {
      probeUrl: async () => {},
      server: async ({ command }) => handle('server', command),
      testcontainers: async () => handle('testcontainers'),
      compose: async () => handle('compose'),
      ...machine.starters,
    },
  });
  return { found, log, ran };
}

const REDIS = { 'redis-server': 'Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc' };
const VALKEY = { 'valkey-server': 'Valkey server v=8.1.1 sha=00000000:0' };
const DOCKER = { docker: '28.2.2' };

test('REDIS_URL comes first and is left alone', async () => {
  const { found } = look({ env: { REDIS_URL: 'redis://u:secret@db:6379' }, programs: REDIS });
  const redis = await found;
  expect(redis).toMatchObject({ kind: 'url', url: 'redis://u:secret@db:6379' });
  expect(redis.describe).toBe('REDIS_URL redis://***@db:6379');
  await expect(redis.kill9()).rejects.toThrow('not ours to kill');
  await redis.stop();
});

test('a REDIS_URL that does not answer is an error that names it, without its password', async () => {
  const { found, ran } = look({
    env: { REDIS_URL: 'redis://u:secret@db:6379' },
    options: { urlPatienceMs: 50 },
    programs: REDIS,
    starters: {
      probeUrl: async () => {
        throw new Error('connect ECONNREFUSED');
      },
    },
  });
  await expect(found).rejects.toThrow(
    'REDIS_URL redis://***@db:6379 does not answer (connect ECONNREFUSED): start that Redis',
  );
  expect(ran).toEqual([]);
});

test('owned: true passes REDIS_URL over', async () => {
  const { found } = look({
    env: { REDIS_URL: 'redis://db' },
    programs: REDIS,
    options: { owned: true },
  });
  expect(await found).toMatchObject({ kind: 'server' });
});

test('redis-server comes before valkey-server before Docker', async () => {
  const both = look({ programs: { ...DOCKER, ...VALKEY, ...REDIS } });
  expect(await both.found).toMatchObject({ kind: 'server', describe: '/fake/redis-server' });
  const valkey = look({ programs: { ...DOCKER, ...VALKEY } });
  expect(await valkey.found).toMatchObject({ kind: 'server', describe: '/fake/valkey-server' });
});

test('a server that is too old, or fails to start, moves on', async () => {
  const old = { 'redis-server': 'Redis server v=6.2.16 sha=0' };
  const { found } = look({ programs: { ...old, ...VALKEY } });
  expect(await found).toMatchObject({ describe: '/fake/valkey-server' });
  const failing = look({
    programs: { ...REDIS, ...DOCKER },
    starters: {
      server: async () => {
        throw new Error('it ended at its start');
      },
    },
  });
  expect(await failing.found).toMatchObject({ kind: 'testcontainers' });
});

test('7.0 is new enough', async () => {
  const { found } = look({ programs: { 'redis-server': 'Redis server v=7.0.0 sha=0' } });
  expect(await found).toMatchObject({ kind: 'server' });
});

test('Docker means Testcontainers in tests and Compose otherwise', async () => {
  expect(await look({ programs: DOCKER }).found).toMatchObject({ kind: 'testcontainers' });
  const missing = look({
    programs: DOCKER,
    options: { docker: 'compose', composeDir: '/no/such/folder' },
  });
  await expect(missing.found).rejects.toThrow('there is no /no/such/folder/docker-compose.yml');
});

test('Docker without its engine moves on to apt-get, which is announced before it happens', async () => {
  const { found, log } = look({ programs: { docker: null, 'apt-get': '' }, isRoot: true });
  expect(await found).toMatchObject({ kind: 'server', describe: '/fake/redis-server' });
  expect(log[0]).toContain('Installing one now with "apt-get install redis-server"');
  expect(log).toContain('  - Docker: its engine is not running (or not for this user)');
  expect(log.at(-1)).toBe('installed');
});

test('without root, apt-get takes password-less sudo or nothing', async () => {
  const allowed = look({ programs: { 'apt-get': '', sudo: '' } });
  expect(await allowed.found).toMatchObject({ kind: 'server' });
  expect(allowed.log[0]).toContain('"sudo apt-get install redis-server"');
  const refused = look({ programs: { 'apt-get': '', sudo: null } });
  await expect(refused.found).rejects.toThrow('apt-get: needs root or sudo without a password');
  expect(refused.log).toEqual([]);
});

test('nothing at all is one message: what was looked at, and what to do', async () => {
  const { found, log } = look({});
  const error = await found.then(
    () => null,
    (reason: Error) => reason,
  );
  expect(error?.message).toMatchInlineSnapshot(`
    "There is no Redis to work with. Looked at:
      - REDIS_URL: not set
      - PATH: no redis-server or valkey-server
      - Docker: not on the PATH
      - package manager: neither apt-get nor brew is here
    Do one of these, then run the same command again:
      sudo apt-get install redis-server        (Debian, Ubuntu)
      brew install redis                       (macOS)
      export REDIS_URL=redis://HOST:PORT       (one that you have)
      install Docker and start it              (https://docs.docker.com/get-docker/)"
  `);
  expect(log).toEqual([]);
});
