import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, isPortFree } from '../free-port.ts';
import type { System } from '../system.ts';
import { DURABLE, type RedisHandle, type RedisKind } from './handle.ts';
import { probeUrl, redacted } from './probe.ts';

const REDIS_IMAGE = 'redis:8-alpine';

const SERVE_TIMEOUT_MS = 60_000;
const PULL_TIMEOUT_MS = 300_000;

/** A Redis in a throw-away container, for tests. Removed with its data by `stop()`. */
export async function startTestcontainersRedis(system: System): Promise<RedisHandle> {
  const { GenericContainer, Wait } = await import('testcontainers');
  // A published port that the engine chooses changes at a restart; clients must find it again.
  const port = await freePort();
  // The engine publishes on every interface; nobody else's program shall write into a test.
  const password = randomUUID();
  const container = await new GenericContainer(REDIS_IMAGE)
    .withCommand(['redis-server', ...DURABLE, '--requirepass', password])
    .withExposedPorts({ container: 6379, host: port })
    .withWaitStrategy(Wait.forLogMessage(/Ready to accept connections/))
    .withStartupTimeout(PULL_TIMEOUT_MS)
    .start();
  return await containerHandle({
    system,
    kind: 'testcontainers',
    id: container.getId(),
    url: `redis://:${password}@${container.getHost()}:${port}`,
    what: `${REDIS_IMAGE} in Docker`,
    end: async () => {
      await container.stop({ remove: true, removeVolumes: true });
    },
  });
}

export interface ComposeRedisOptions {
  /** Path of the compose file, which has a service `redis` and publishes it on NIGHTSHIFT_REDIS_PORT. */
  file: string;
  /** Whether `stop()` leaves the data for the next start. */
  keepData: boolean;
}

/**
 * The compose file's `redis` service, in a project of its own: a whole stack that runs from the same
 * file is not touched, and throw-away data never meets kept data. Published on 127.0.0.1:6379, or on
 * a free port if that is taken. One that a killed run left behind is taken over.
 */
export async function startComposeRedis(
  system: System,
  options: ComposeRedisOptions,
): Promise<RedisHandle> {
  const [command, ...before] = await composeCommand(system);
  const project = options.keepData ? 'nightshift-local' : 'nightshift-throwaway';
  const call = async (args: string[], env: Record<string, string> = {}): Promise<string> => {
    const all = [...before, '-p', project, '-f', options.file, ...args];
    const result = await system.run(command, all, { env, timeoutMs: PULL_TIMEOUT_MS });
    if (result.code !== 0) {
      throw new Error(`${[command, ...all].join(' ')}: ${lastLines(result.stderr)}`);
    }
    return result.stdout.trim();
  };
  const publishedPort = async (): Promise<number> =>
    Number(/:(\d+)$/.exec(await call(['port', 'redis', '6379']))?.[1] ?? 0);
  const end = async (): Promise<void> => {
    await call(options.keepData ? ['stop', 'redis'] : ['down', '--volumes']);
  };
  if ((await publishedPort().catch(() => 0)) === 0) {
    const port = (await isPortFree(6379)) ? 6379 : await freePort();
    await call(['up', '-d', 'redis'], { NIGHTSHIFT_REDIS_PORT: String(port) });
  }
  return await containerHandle({
    system,
    kind: 'compose',
    id: await call(['ps', '-q', 'redis']),
    url: `redis://127.0.0.1:${await publishedPort()}`,
    what: `the redis service of ${options.file}`,
    end,
  });
}

async function composeCommand(system: System): Promise<[string, ...string[]]> {
  if ((await system.run('docker', ['compose', 'version'], { timeoutMs: 10_000 })).code === 0) {
    return ['docker', 'compose'];
  }
  if (system.which('docker-compose') !== null) return ['docker-compose'];
  throw new Error('neither the "docker compose" plugin nor docker-compose is installed');
}

interface Container {
  system: System;
  kind: RedisKind;
  id: string;
  url: string;
  what: string;
  end(): Promise<void>;
}

async function containerHandle(container: Container): Promise<RedisHandle> {
  const { system, id, url } = container;
  let stopping: Promise<void> | undefined;
  const docker = async (...args: string[]): Promise<void> => {
    const result = await system.run('docker', [...args, id], { timeoutMs: 60_000 });
    if (result.code !== 0) throw new Error(`docker ${args.join(' ')}: ${lastLines(result.stderr)}`);
  };
  const state = async (): Promise<string> =>
    (
      await system.run('docker', ['inspect', '-f', '{{.State.Status}}', id], { timeoutMs: 10_000 })
    ).stdout.trim();
  const serving = async (): Promise<void> => {
    const deadline = performance.now() + SERVE_TIMEOUT_MS;
    for (;;) {
      try {
        return await probeUrl(url);
      } catch (error) {
        if (performance.now() > deadline) {
          const why = (error as Error).message;
          throw new Error(`${container.what} does not serve at ${redacted(url)}: ${why}`, {
            cause: error,
          });
        }
        await sleep(50);
      }
    }
  };
  const self: RedisHandle = {
    url,
    kind: container.kind,
    describe: `${container.what} at ${new URL(url).host}`,
    async kill9() {
      if ((await state()) === 'exited') return;
      await docker('kill', '--signal', 'KILL');
    },
    async restart() {
      await self.thaw();
      if ((await state()) === 'running') await docker('stop');
      await docker('start');
      await serving();
    },
    async freeze() {
      if ((await state()) === 'running') await docker('pause');
    },
    async thaw() {
      if ((await state()) === 'paused') await docker('unpause');
    },
    async stop() {
      stopping ??= (async () => {
        await self.thaw();
        await container.end();
      })();
      await stopping;
    },
  };
  try {
    await serving();
  } catch (error) {
    await self.stop();
    throw error;
  }
  return self;
}

const lastLines = (text: string): string => text.trim().split('\n').slice(-3).join(' | ');
