import { setTimeout as sleep } from 'node:timers/promises';
import type { Child, RedisHandle } from '@nightshift/local';
import type { ProcessSpec, Processes } from './processes.ts';
import { supervise, type SuperviseOptions } from './supervise.ts';

/** Starts a process again, by its own spec, whenever it ends. */
export async function superviseProcess(
  processes: Processes,
  spec: ProcessSpec,
  first: Child,
  options: SuperviseOptions,
): Promise<void> {
  let child = first;
  await supervise(
    {
      name: spec.name,
      untilEnded: async () => {
        const exit = await child.exited;
        return exit.signal ?? `code ${exit.code}`;
      },
      startAgain: async () => {
        child = await processes.start(spec);
      },
    },
    options,
  );
}

const LOOK_EVERY_MS = 500;

/** The same for a Redis that is ours; one of somebody else, or in Docker, is not watched. */
export async function superviseRedis(redis: RedisHandle, options: SuperviseOptions): Promise<void> {
  const { signal } = options;
  await supervise(
    {
      name: 'redis',
      untilEnded: async () => {
        while (!signal.aborted && (redis.pid === undefined || isAlive(redis.pid))) {
          await sleep(LOOK_EVERY_MS, undefined, { signal }).catch(() => {});
        }
        return 'it was killed or crashed';
      },
      startAgain: async () => await redis.restart(),
    },
    options,
  );
}

/** Its parent, this process, reaps it when it ends, so the id is not kept by a dead one. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
