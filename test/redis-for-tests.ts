import type { TestProject } from 'vitest/node';
// By its path: a global set-up is loaded without the workspace's `source` condition.
import { findOrStartRedis } from '../packages/local/src/index.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** The Redis that all tests of this run share: `inject('redisUrl')`. */
    redisUrl: string;
  }
}

/** One Redis for the run. What it returns is the teardown. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const redis = await findOrStartRedis({ docker: 'testcontainers' });
  project.provide('redisUrl', redis.url);
  return async () => await redis.stop();
}
