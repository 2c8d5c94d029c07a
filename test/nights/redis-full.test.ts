import { eventually } from '@nightshift/local';
import { expect, it } from 'vitest';
import { acceptAll, acceptUntilRefused, limitMemory, postJob } from '../support/full-redis.ts';
import { faultsOfLog } from '../support/night-checks.ts';
import { doctorSays, signs } from '../support/night-signs.ts';
import { onNight } from '../support/night.ts';

const MEGABYTES = 64;
/** Characters of a prompt: about a hundred of them fill Redis. */
const LARGE = 400_000;
const works = (prefix: string, count: number, model: string, more: object = {}) =>
  Array.from({ length: count }, (_, n) => ({ marker: `${prefix}-${n}`, model, ...more }));

it('settles all accepted work, in every state, on a full Redis', async () => {
  const latency = { kind: 'fixed', ms: 300 };
  await onNight({ latency, concurrency: 8 }, async (night) => {
    await limitMemory(night.redis.url, MEGABYTES);
    const batch = await night.begin('line', 1000);
    const dueS = Math.floor(Date.now() / 1000) + 45;
    const accepted = await acceptAll(night, [
      ...works('later', 20, 'sim-ok', { runAtS: dueS }),
      // In backoff when it becomes full: so few failures do not open the lane's breaker. And in progress for longer than it takes.
      ...works('again', 3, 'sim-500-x2--again'),
      ...works('slow', 4, 'sim-slow-20000'),
      ...works('large-answer', 20, 'sim-huge-1', { runAtS: dueS }),
    ]);
    const { refusal, ids } = await acceptUntilRefused(
      night,
      (n) => ({ marker: `filler-${n}`, model: 'sim-ok--filler', bytes: LARGE, runAtS: dueS }),
      600,
    );
    expect.soft(refusal.status).toBe(503);
    expect.soft(Number(refusal.headers.get('retry-after'))).toBeGreaterThan(0);
    expect.soft(await refusal.json()).toMatchObject({ error: { code: 'redis_full' } });
    expect.soft(await doctorSays(night, signs.redis_full.doctor)).toEqual([]);

    const settled = await night.settled(batch.id, 180_000);
    expect.soft(settled.status).toBe('completed');
    expect.soft((await night.judged(settled, batch.ids)).failures).toEqual([]);
    const ends = new Map<string, number>();
    for (const id of [...accepted, ...ids]) {
      const { status } = await night.settledJob(id, 180_000);
      ends.set(status, (ends.get(status) ?? 0) + 1);
    }
    console.log(`a full Redis: ${accepted.length + ids.length} jobs accepted`);
    expect.soft(Object.fromEntries(ends)).toEqual({ completed: accepted.length + ids.length });

    // Deleting settled jobs frees memory for more.
    const deleted = await Promise.all(
      ids.map(async (id) => fetch(`${night.url}/jobs/${id}`, { method: 'DELETE' })),
    );
    expect.soft(deleted.every(({ ok }) => ok)).toBe(true);
    const again = await eventually(
      async () => {
        const answer = await postJob(night, { marker: 'room', model: 'sim-ok', bytes: LARGE });
        return answer.status === 202;
      },
      { timeoutMs: 30_000, intervalMs: 500, describe: 'new work to be accepted' },
    ).catch(String);
    expect.soft(again).toBe(true);
    const outOfMemory = night.log().filter((line) => JSON.stringify(line).includes('OOM command'));
    expect.soft(outOfMemory.map(({ msg }) => msg)).toEqual([]);
    // The state may change several times while Redis drains.
    expect.soft(faultsOfLog(night.log(), signs.redis_full.log, 5)).toEqual([]);
  });
});
