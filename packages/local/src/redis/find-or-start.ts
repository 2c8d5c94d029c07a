import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { repositoryRoot } from '../paths.ts';
import { thisSystem, type System } from '../system.ts';
import { startComposeRedis, startTestcontainersRedis } from './container.ts';
import type { Found, RedisHandle } from './handle.ts';
import { findInstaller } from './install.ts';
import { probeUrl, redacted } from './probe.ts';
import { startRedisServer } from './server.ts';

export interface FindOrStartRedisOptions {
  /** How Docker is used: a throw-away container in tests, the compose file otherwise. */
  docker: 'testcontainers' | 'compose';
  /** Where a server that we start keeps its data. Without it the data goes with `stop()`. */
  dataDir?: string;
  /** Told what is about to happen before it happens, one line each. Default: stderr. */
  announce?: (line: string) => void;
  /** Passes over REDIS_URL: a test that kills its Redis needs one of its own. */
  owned?: boolean;
  /** Folder of `docker-compose.yml`. Default: the repository's. */
  composeDir?: string;
  /** How long REDIS_URL may take to answer. Default 3,000. */
  urlPatienceMs?: number;
  system?: System;
  starters?: Partial<RedisStarters>;
}

/** The parts that start something; tests hand in their own. */
interface RedisStarters {
  probeUrl: (url: string) => Promise<void>;
  server: typeof startRedisServer;
  testcontainers: typeof startTestcontainersRedis;
  compose: typeof startComposeRedis;
}

type Search = Required<Omit<FindOrStartRedisOptions, 'dataDir' | 'starters'>> & {
  dataDir: string | undefined;
  start: RedisStarters;
};

/** Scripts declare their flags (`#!lua flags=allow-oom`), which came with 7.0. */
const OLDEST = { major: 7, minor: 0 };

/**
 * A Redis to work with, the first of these that serves: REDIS_URL; a `redis-server` or
 * `valkey-server` on the PATH; Docker; one installed by the system's package manager, announced
 * before it happens. Rejects with one message that lists what was looked at and what to do. A
 * REDIS_URL that does not answer is an error at once: it was asked for.
 */
export async function findOrStartRedis(options: FindOrStartRedisOptions): Promise<RedisHandle> {
  const search: Search = {
    docker: options.docker,
    dataDir: options.dataDir,
    owned: options.owned ?? false,
    announce: options.announce ?? ((line) => void process.stderr.write(`${line}\n`)),
    composeDir: options.composeDir ?? repositoryRoot,
    urlPatienceMs: options.urlPatienceMs ?? 3000,
    system: options.system ?? thisSystem(),
    start: {
      probeUrl,
      server: startRedisServer,
      testcontainers: startTestcontainersRedis,
      compose: startComposeRedis,
      ...options.starters,
    },
  };
  const declined: string[] = [];
  for (const look of [fromUrl, fromPath, fromDocker, fromPackageManager]) {
    const found = await look(search, declined);
    if (found.kind === 'serves') return found.redis;
    declined.push(found.why);
  }
  throw new Error(nothingServes(declined));
}

async function fromUrl({ system, owned, start, urlPatienceMs }: Search): Promise<Found> {
  const url = system.env['REDIS_URL'] ?? '';
  if (url === '') return { kind: 'declined', why: 'REDIS_URL: not set' };
  if (owned) return { kind: 'declined', why: 'REDIS_URL: not used, a Redis of our own is needed' };
  const deadline = performance.now() + urlPatienceMs;
  for (;;) {
    try {
      await start.probeUrl(url);
      return { kind: 'serves', redis: givenRedis(url) };
    } catch (error) {
      if (performance.now() < deadline) {
        await sleep(100);
        continue;
      }
      throw new Error(
        `REDIS_URL ${redacted(url)} does not answer (${messageOf(error)}): ` +
          'start that Redis, or unset REDIS_URL to have one started',
        { cause: error },
      );
    }
  }
}

async function fromPath({ system, dataDir, start }: Search): Promise<Found> {
  const reasons: string[] = [];
  for (const name of ['redis-server', 'valkey-server']) {
    const command = system.which(name);
    if (command === null) continue;
    const text = (await system.run(command, ['--version'], { timeoutMs: 10_000 })).stdout;
    const [, major, minor] = /v=(\d+)\.(\d+)/.exec(text) ?? [];
    const tooOld =
      Number(major) < OLDEST.major ||
      (Number(major) === OLDEST.major && Number(minor) < OLDEST.minor);
    if (tooOld) {
      reasons.push(`${command}: ${major}.${minor} is older than ${OLDEST.major}.${OLDEST.minor}`);
      continue;
    }
    try {
      const redis = await start.server({ command, ...(dataDir !== undefined && { dataDir }) });
      return { kind: 'serves', redis };
    } catch (error) {
      reasons.push(`${command}: ${messageOf(error)}`);
    }
  }
  const why = reasons.join('\n  - ') || 'PATH: no redis-server or valkey-server';
  return { kind: 'declined', why };
}

async function fromDocker(search: Search): Promise<Found> {
  const { system, docker, start, announce, composeDir, dataDir } = search;
  const declined = (why: string): Found => ({ kind: 'declined', why: `Docker: ${why}` });
  if (system.which('docker') === null) return declined('not on the PATH');
  const args = ['version', '--format', '{{.Server.Version}}'];
  if ((await system.run('docker', args, { timeoutMs: 10_000 })).code !== 0) {
    return declined('its engine is not running (or not for this user)');
  }
  const file = join(composeDir, 'docker-compose.yml');
  if (docker === 'compose' && !existsSync(file)) return declined(`there is no ${file}`);
  announce('Redis: starting one in Docker');
  try {
    const redis =
      docker === 'testcontainers'
        ? await start.testcontainers(system)
        : await start.compose(system, { file, keepData: dataDir !== undefined });
    return { kind: 'serves', redis };
  } catch (error) {
    return declined(messageOf(error));
  }
}

async function fromPackageManager(search: Search, before: readonly string[]): Promise<Found> {
  const installer = await findInstaller(search.system);
  if (installer.kind === 'unavailable') return { kind: 'declined', why: installer.why };
  search.announce(`Redis: none found. Installing one now with "${installer.command}"`);
  for (const why of before) search.announce(`  - ${why}`);
  const failure = await installer.install();
  if (failure !== null) {
    return { kind: 'declined', why: `${installer.command}: failed\n    ${failure}` };
  }
  const found = await fromPath(search);
  if (found.kind === 'serves') return found;
  return { kind: 'declined', why: `${installer.command}: done, but ${found.why}` };
}

function givenRedis(url: string): RedisHandle {
  const refuse = async (): Promise<void> => {
    throw new Error(
      `the Redis of REDIS_URL ${redacted(url)} is not ours to kill, restart or freeze: ` +
        'ask findOrStartRedis for one with owned: true',
    );
  };
  return {
    url,
    kind: 'url',
    describe: `REDIS_URL ${redacted(url)}`,
    kill9: refuse,
    restart: refuse,
    freeze: refuse,
    thaw: refuse,
    stop: async () => {},
  };
}

const nothingServes = (declined: readonly string[]): string =>
  `There is no Redis to work with. Looked at:
${declined.map((why) => `  - ${why}`).join('\n')}
Do one of these, then run the same command again:
  sudo apt-get install redis-server        (Debian, Ubuntu)
  brew install redis                       (macOS)
  export REDIS_URL=redis://HOST:PORT       (one that you have)
  install Docker and start it              (https://docs.docker.com/get-docker/)`;

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);
