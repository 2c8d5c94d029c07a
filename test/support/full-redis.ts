import { Redis } from 'ioredis';
import type { Night } from './night.ts';

/** Sets maxmemory, as `--maxmemory` does. */
export async function limitMemory(url: string, megabytes: number): Promise<void> {
  const redis = new Redis(url);
  try {
    await redis.config('SET', 'maxmemory', `${megabytes}mb`);
  } finally {
    redis.disconnect();
  }
}

interface Work {
  marker: string;
  model: string;
  /** Of the prompt. */
  bytes?: number;
  runAtS?: number;
}

/** Submits one job. Resolves to the whole answer. */
export async function postJob(
  night: Night,
  { marker, model, bytes = 0, runAtS }: Work,
): Promise<Response> {
  const content = `Job ${marker}. ${'x'.repeat(bytes)}`;
  return await night.call('/jobs', {
    body: { model, messages: [{ role: 'user', content }], metadata: { marker } },
    priority: 'bulk',
    ...(runAtS !== undefined && { run_at: runAtS }),
  });
}

/** Submits jobs one after the other, which must all be accepted. Resolves to their ids. */
export async function acceptAll(night: Night, works: readonly Work[]): Promise<string[]> {
  const ids: string[] = [];
  for (const work of works) {
    const answer = await postJob(night, work);
    if (answer.status !== 202) {
      throw new Error(`${work.marker} got ${answer.status}: ${await answer.text()}`);
    }
    ids.push(((await answer.json()) as { id: string }).id);
  }
  return ids;
}

/** Submits jobs until one is refused. Resolves to the refusal and to the ids of the accepted ones. */
export async function acceptUntilRefused(
  night: Night,
  work: (n: number) => Work,
  most: number,
): Promise<{ refusal: Response; ids: string[] }> {
  const ids: string[] = [];
  for (let n = 0; n < most; n += 1) {
    const answer = await postJob(night, work(n));
    if (answer.status !== 202) return { refusal: answer, ids };
    ids.push(((await answer.json()) as { id: string }).id);
  }
  throw new Error(`${most} jobs were accepted, and none was refused`);
}
