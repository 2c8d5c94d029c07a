import { eventually } from '@nightshift/local';
import { describe, it } from 'vitest';
import { WRONG_KEY, wrongKey } from '../support/gateway-answers.ts';
import { faultsOfLog } from '../support/night-checks.ts';
import { hasWorkers, missingSigns, signs } from '../support/night-signs.ts';
import { onNight } from '../support/night.ts';
import { until } from '../support/provider-away.ts';

const MODEL = 'sim-ok';
const MINUTE_MS = 60_000;
const latency = { kind: 'log_normal', median_ms: 500, sigma: 0.4 };

describe.concurrent('a night without calls', () => {
  it('reports that no worker is alive, and continues once one is', async ({ expect }) => {
    await onNight({ latency }, async (night) => {
      const batch = await night.begin('line', 1000);
      await night.reaches(batch.id, ({ request_counts: counts }) => (counts?.completed ?? 0) > 200);
      await Promise.all(night.stack.workers.map(async (worker) => worker.kill9()));
      const diedMs = Date.now();
      const jobId = await night.submit('alone', MODEL);
      // One whose input nobody has checked yet says the same.
      const unchecked = await night.begin('unchecked', 50);
      const expected = {
        reason: 'no_worker',
        ...{ jobId, retried: false, workersAlive: 0, says: [/worker/i], withinMs: 40_000 },
      } as const;
      const unseen = await missingSigns(night, { ...expected, batch });
      const uncheckedUnseen = await missingSigns(night, { ...expected, batch: unchecked });
      await until(diedMs + MINUTE_MS);
      await night.addWorker();

      for (const { id, ids } of [batch, unchecked]) {
        const settled = await night.settled(id, 120_000);
        expect.soft(settled.status).toBe('completed');
        expect.soft((await night.judged(settled, ids)).failures).toEqual([]);
        expect.soft((await night.batch(id)).waiting_for).toBeNull();
      }
      expect.soft((await night.settledJob(jobId, 30_000)).status).toBe('completed');
      expect.soft([unseen, uncheckedUnseen]).toEqual([[], []]);
      const noticed = await eventually(async () => hasWorkers(night, 1)).catch(String);
      expect.soft(noticed).toBe(true);
      expect.soft(faultsOfLog(night.log(), signs.no_worker.log)).toEqual([]);
    });
  });

  it('waits with a wrong key, repeats the provider’s message, and continues once the key is right', async ({
    expect,
  }) => {
    await onNight({ latency }, async (night) => {
      const batch = await night.begin('line', 1000);
      await night.reaches(batch.id, ({ request_counts: counts }) => (counts?.completed ?? 0) > 200);
      await night.proxy.become({ kind: 'answer', answer: () => wrongKey });
      const fromMs = Date.now();
      const jobId = await night.submit('alone', MODEL);
      const unseen = await missingSigns(night, {
        reason: 'lane_paused',
        ...{ batch, jobId, model: MODEL, retried: true, workersAlive: 2 },
        // A key in the provider's words may be masked.
        says: [/401/, new RegExp(WRONG_KEY.slice(0, 26)), /sim-ok/],
        withinMs: 30_000,
      });
      await until(fromMs + MINUTE_MS);
      const { request_counts: counts } = await night.batch(batch.id);
      expect.soft(counts?.failed).toBe(0);
      await night.proxy.become({ kind: 'pass' });
      const mendedMs = Date.now();

      const settled = await night.settled(batch.id, 180_000);
      expect.soft(settled.status).toBe('completed');
      expect.soft((await night.judged(settled, batch.ids)).failures).toEqual([]);
      expect.soft((await night.settledJob(jobId, 30_000)).status).toBe('completed');
      console.log(`the key was mended: done after ${Math.round((Date.now() - mendedMs) / 1000)} s`);
      expect.soft(unseen).toEqual([]);
      expect.soft(faultsOfLog(night.log(), signs.lane_paused.log)).toEqual([]);
      expect.soft((await night.list('lanes')).map(({ state }) => state)).toEqual(['open']);
    });
  });
});
