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

/** The variables of whoever runs the tests that would be settings of what they start. */
function ownSettings(): string[] {
  const own = /^(NIGHTSHIFT_|WORKER_|SIMULATOR_|OPENAI_)|^(HOST|PORT|LOG_LEVEL|DURABILITY)$/;
  return Object.keys(process.env).filter((name) => own.test(name));
}

export function withoutOwnEnvironment(): Record<string, string | undefined> {
  const own = new Set(ownSettings());
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !own.has(name)));
}

/** No settings of whoever runs the tests. */
function cleanEnvironment(): Record<string, string | undefined> {
  return {
    ...Object.fromEntries(ownSettings().map((name) => [name, undefined])),
    // As on a fresh machine where there is a server to start; else the one of this test run.
    REDIS_URL: hasRedisServer() ? undefined : inject('redisUrl'),
  };
}

const hasRedisServer = (): boolean =>
  (process.env['PATH'] ?? '')
    .split(delimiter)
    .some((dir) => ['redis-server', 'valkey-server'].some((name) => existsSync(join(dir, name))));
