import type { JobsOptions, Queue } from 'bullmq';

/** Larger pieces hold Redis up, and a pipeline of everything would have to be held in memory. */
const ADD_AT_ONCE = 500;

/** The tutorial's way to hand in many jobs. */
export async function addAll(
  queue: Queue,
  bodies: readonly object[],
  opts: JobsOptions = {},
): Promise<string[]> {
  const ids: string[] = [];
  for (let from = 0; from < bodies.length; from += ADD_AT_ONCE) {
    const page = bodies.slice(from, from + ADD_AT_ONCE);
    const jobs = await queue.addBulk(page.map((data) => ({ name: 'completion', data, opts })));
    ids.push(...jobs.map(({ id }) => id ?? ''));
  }
  return ids;
}
