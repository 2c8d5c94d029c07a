import { mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { findOrStartRedis } from '@nightshift/local';
import { thisSystem } from '../../packages/local/src/system.ts';
import { docker, remains, repositoryRoot, requireDocker, run } from './support/docker.ts';

beforeAll(requireDocker);

test('the integration suite gets its Redis from Docker where no redis-server is installed', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'nightshift-containers-'));
  onTestFinished(async () => await rm(folder, { recursive: true, force: true }));
  const path = await pathWith(folder, ['docker', 'node', 'sh']);
  const before = await containers();
  const report = join(folder, 'report.json');
  const { stderr } = await run(
    process.execPath,
    [
      join(repositoryRoot, 'node_modules/vitest/vitest.mjs'),
      ...['run', '--project', 'integration', 'packages/shared/test/integration/accept.test.ts'],
      ...['--reporter=json', `--outputFile=${report}`],
    ],
    { env: { ...environmentOfAShell(), PATH: path }, timeoutMs: 300_000 },
  );
  expect(stderr).toContain('Redis: starting one in Docker');
  const { numPassedTests, numTotalTests } = JSON.parse(await readFile(report, 'utf8')) as Record<
    string,
    number
  >;
  expect(numPassedTests).toBeGreaterThan(0);
  expect(numPassedTests).toBe(numTotalTests);
  expect(await containers()).toEqual(before);
});

test('the local stack gets its Redis from the compose file, which survives being killed', async () => {
  const system = thisSystem(environmentOfAShell());
  const redis = await findOrStartRedis({
    docker: 'compose',
    announce: () => {},
    system: {
      ...system,
      which: (name) => (/redis|valkey/.test(name) ? null : system.which(name)),
    },
  });
  onTestFinished(async () => await redis.stop());
  expect(redis.kind).toBe('compose');
  await redis.kill9();
  await redis.restart();
  await redis.stop();
  expect(await remains('com.docker.compose.project=nightshift-throwaway')).toEqual([]);
});

/** Those that Testcontainers started, but for its own reaper, which outlives a run by some seconds. */
async function containers(): Promise<string[]> {
  const ours = ['--filter', 'label=org.testcontainers=true', '--format', '{{.ID}} {{.Image}}'];
  const lines = (await docker('ps', '--all', ...ours)).split('\n');
  return lines.filter((line) => !line.includes('ryuk')).toSorted();
}

/** A folder that has only these of the programs on the PATH. */
async function pathWith(folder: string, programs: readonly string[]): Promise<string> {
  const path = join(folder, 'bin');
  await mkdir(path);
  for (const name of programs) {
    const program = thisSystem().which(name);
    if (program === null) throw new Error(`${name} is not on the PATH: install it`);
    await symlink(program, join(path, name));
  }
  return path;
}

/** Without what vitest tells its own processes, and without a Redis. */
function environmentOfAShell(): NodeJS.ProcessEnv {
  const ours = /^(VITEST.*|TEST|DEV|PROD|SSR|MODE|BASE_URL|NODE_ENV|REDIS_URL)$/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !ours.test(name)));
}
