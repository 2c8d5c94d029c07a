import { defineConfig } from 'vitest/config';

/** Workspace packages are imported as TypeScript source, as in development; all others as Node imports them. */
const conditions = ['source', 'node', 'import', 'default'];

const project = (name: string, include: string[], more: Record<string, unknown> = {}) => ({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: { name, include, ...more },
});

export default defineConfig({
  test: {
    projects: [
      project('unit', ['{apps,packages}/*/test/unit/**/*.test.ts', 'bench/test/unit/**/*.test.ts']),
      project(
        'integration',
        ['{apps,packages}/*/test/integration/**/*.test.ts', 'test/integration/**/*.test.ts'],
        {
          sequence: { groupOrder: 1 },
          globalSetup: ['./test/redis-for-tests.ts'],
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      ),
      // Kills and outages, one at a time and after the others: they judge moments, and want the machine.
      project('chaos', ['test/chaos/**/*.test.ts'], {
        sequence: { groupOrder: 2 },
        testTimeout: 600_000,
        hookTimeout: 120_000,
        fileParallelism: false,
      }),
      project('outages', ['test/outages/**/*.test.ts'], {
        sequence: { groupOrder: 3 },
        testTimeout: 600_000,
        hookTimeout: 120_000,
        fileParallelism: false,
      }),
      // Whole stacks, through the official SDK, one at a time.
      project('batches', ['test/batches/**/*.test.ts'], {
        testTimeout: 600_000,
        hookTimeout: 120_000,
        fileParallelism: false,
      }),
      // Twenty rounds of kills, and a kill at each step of a conductor.
      project('rounds', ['test/chaos/batch-kills.test.ts', 'test/rounds/**/*.test.ts'], {
        env: { ROUNDS: process.env['ROUNDS'] ?? '20' },
        testTimeout: 600_000,
        hookTimeout: 120_000,
        fileParallelism: false,
      }),
      // Outages. Each test mostly waits, on its own stack, so they run concurrently.
      project('nights', ['test/nights/**/*.test.ts'], {
        env: { AWAY_S: process.env['AWAY_S'] ?? '100' },
        testTimeout: 1_500_000,
        hookTimeout: 120_000,
        maxWorkers: 3,
        maxConcurrency: 10,
      }),
      // Batches through the Python SDK, which pip installs the first time.
      project('python', ['test/python/**/*.test.ts'], {
        testTimeout: 300_000,
        hookTimeout: 120_000,
        fileParallelism: false,
      }),
      // Against a real S3 server, which Go builds the first time.
      project('s3', ['packages/*/test/s3/**/*.test.ts', 'test/s3/**/*.test.ts'], {
        testTimeout: 400_000,
        hookTimeout: 600_000,
        // One builds the server, and the others find it.
        fileParallelism: false,
      }),
      project('containers', ['test/containers/**/*.test.ts'], {
        testTimeout: 900_000,
        hookTimeout: 900_000,
        fileParallelism: false,
      }),
    ],
  },
});
