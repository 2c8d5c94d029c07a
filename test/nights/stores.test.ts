import { eventually } from '@nightshift/local';
import { describe, it } from 'vitest';
import { faultsOfLog, readMetric } from '../support/night-checks.ts';
import { doctorSays, metricNames, missingSigns, redisAway, signs } from '../support/night-signs.ts';
import { onNight } from '../support/night.ts';
import { until } from '../support/provider-away.ts';
import { mountSmallDisk } from '../support/small-disk.ts';

const MINUTE_MS = 60_000;
const latency = { kind: 'log_normal', median_ms: 500, sigma: 0.4 };

describe.concurrent('a night in which a store fails', () => {
  it('reports a full disk, and finishes once there is space', async ({ expect }) => {
    const disk = await mountSmallDisk(8);
    const env = { NIGHTSHIFT_BLOBS: `file:${disk.path}` };
    try {
      await onNight({ env, latency: { kind: 'fixed', ms: 5 } }, async (night) => {
        const batch = await night.begin('line', 1000);
        await night.call(`/batches/${batch.id}/pause`, {});
        await disk.fill();
        await night.call(`/batches/${batch.id}/resume`, {});
        const unseen = await missingSigns(night, {
          reason: 'storage',
          ...{ batch, retried: false, workersAlive: 2, withinMs: 60_000 },
          says: [new RegExp(disk.path), /full|space|ENOSPC/i],
        });
        await disk.free();

        const settled = await night.settled(batch.id, 120_000);
        expect.soft(settled.status).toBe('completed');
        expect.soft((await night.judged(settled, batch.ids)).failures).toEqual([]);
        expect.soft((await night.batch(batch.id)).waiting_for).toBeNull();
        expect.soft(unseen).toEqual([]);
        expect.soft(faultsOfLog(night.log(), signs.storage.log)).toEqual([]);
      });
    } finally {
      await disk.stop();
    }
  });

  it('waits for a Redis that is away for a minute, and loses nothing', async ({ expect }) => {
    await onNight({ latency }, async (night) => {
      const { redis, stack } = night;
      const batch = await night.begin('line', 1000);
      await night.reaches(batch.id, ({ request_counts: counts }) => (counts?.completed ?? 0) > 200);
      const jobId = await night.submit('alone', 'sim-ok');
      const watchedFrom = batch.watch.lines.length;
      await redis.kill9();
      const diedMs = Date.now();
      const refused = await eventually(async () => {
        const answer = await night.call(`/batches/${batch.id}`);
        return answer.status === 503 && answer;
      });
      expect.soft(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
      expect.soft(await refused.json()).toMatchObject({ error: { code: 'redis_unavailable' } });
      const isUp = async (): Promise<number | null> =>
        readMetric(await night.metrics(), metricNames.redisUp);
      await eventually(async () => (await isUp()) === 0);
      expect.soft(await doctorSays(night, redisAway.doctor)).toEqual([]);
      await until(diedMs + MINUTE_MS);
      // `watch` says once that it waits, and waits.
      const said = batch.watch.lines.slice(watchedFrom).filter((line) => !line.startsWith('{'));
      expect.soft(said.join('\n')).toMatch(/redis|again|away/i);
      expect.soft(batch.watch.exit).toBeNull();
      await redis.restart();

      const settled = await night.settled(batch.id, 180_000);
      expect.soft(settled.status).toBe('completed');
      expect.soft((await night.judged(settled, batch.ids)).failures).toEqual([]);
      expect.soft((await night.settledJob(jobId, 60_000)).status).toBe('completed');
      expect
        .soft([stack.api, ...stack.workers].map(({ exit }) => exit))
        .toEqual([null, null, null]);
      expect.soft(await isUp()).toBe(1);
      // A process has several connections to it, each of which comes back by itself.
      expect.soft(faultsOfLog(night.log(), redisAway.log, 4)).toEqual([]);
    });
  });
});
