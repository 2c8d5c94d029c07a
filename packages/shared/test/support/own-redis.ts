import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { eventually, freePort } from '@nightshift/local';

/** The server program of this machine, if it has one: with REDIS_URL or Docker alone there is none to start. */
export const redisServer: string | undefined = ['redis-server', 'valkey-server'].find(
  (name) => spawnSync(name, ['--version']).status === 0,
);

export interface OwnRedis {
  port: number;
  stop(): Promise<void>;
}

/** Starts a server with settings that the shared one must not have. */
export async function startOwnRedis(settings: readonly string[]): Promise<OwnRedis> {
  if (redisServer === undefined) throw new Error('no redis-server on the PATH');
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'nightshift-own-redis-'));
  const child = spawn(
    redisServer,
    ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '', ...settings],
    { stdio: 'ignore', env: { ...process.env, LC_ALL: 'C' } },
  );
  const exited = once(child, 'exit');
  // A run that is cut short must not leave its server behind.
  const kill = (): void => {
    child.kill('SIGKILL');
  };
  process.once('exit', kill);

  const probe = new Redis(port, '127.0.0.1', { retryStrategy: () => 50 });
  probe.on('error', () => {
    // Not up yet; asked again.
  });
  try {
    await eventually(async () => {
      const [, ours] = /^process_id:(\d+)/m.exec(await probe.info('server')) ?? [];
      return Number(ours) === child.pid;
    });
  } finally {
    probe.disconnect();
  }
  return {
    port,
    stop: async () => {
      kill();
      process.off('exit', kill);
      await exited;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
