import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { existsSync } from 'node:fs';
import { inject, onTestFinished } from 'vitest';
import { startProcess, type Child, type StartProcessOptions } from '@nightshift/local';

/** Ends a process that a test started, whatever became of the test. */
export async function startCli(options: StartProcessOptions): Promise<Child> {
  const child = await startProcess({
    ...options,
    env: { ...cleanEnvironment(), ...options.env },
  });
  onTestFinished(async () => {
    await child.stop(60_000).catch(() => {});
  });
  return child;
}

export function temporaryFolder(): string {
  const path = mkdtempSync(join(tmpdir(), 'nightshift-test-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** No settings of whoever runs the tests. */
function cleanEnvironment(): Record<string, string | undefined> {
  const own = /^(NIGHTSHIFT_|WORKER_|SIMULATOR_|OPENAI_)|^(HOST|PORT|LOG_LEVEL|DURABILITY)$/;
  const names = Object.keys(process.env).filter((name) => own.test(name));
  return {
    ...Object.fromEntries(names.map((name) => [name, undefined])),
    // As on a fresh machine where there is a server to start; else the one of this test run.
    REDIS_URL: hasRedisServer() ? undefined : inject('redisUrl'),
  };
}

const hasRedisServer = (): boolean =>
  (process.env['PATH'] ?? '')
    .split(delimiter)
    .some((dir) => ['redis-server', 'valkey-server'].some((name) => existsSync(join(dir, name))));
