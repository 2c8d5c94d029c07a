import { eventually } from '@nightshift/local';
import { describe, expect, it } from 'vitest';
import { configureProvider } from '../support/client.ts';
import { setStage, type Stage } from '../support/stage.ts';
import { tellRedis } from '../support/tell-redis.ts';

const JOBS = 2000;
const PER_MINUTE = 3000;
/** After the disturbance the limit must be used again within so long; then it is judged for a while. */
const REGAINED_WITHIN_MS = 5000;
const JUDGED_MS = 5000;

async function deleteBudgets(url: string): Promise<void> {
  const found = await tellRedis(url, 'KEYS nightshift:*:budget');
  const [key] = /nightshift:\{.*:budget/.exec(found) ?? [];
  expect(await tellRedis(url, `DEL ${key}`)).toBe(':1\r\n');
}

const disturbances: [string, (stage: Stage) => Promise<void>][] = [
  [
    'Redis is killed and comes back',
    async ({ redis }) => {
      await redis.kill9();
      await redis.restart();
    },
  ],
  ['its budget is deleted', async ({ redis }) => deleteBudgets(redis.url)],
  [
    'the scripts are flushed',
    async ({ redis }) => {
      expect(await tellRedis(redis.url, 'SCRIPT FLUSH')).toBe('+OK\r\n');
    },
  ],
  [
    'a worker is killed with reservations in hand',
    async ({ stack }) => {
      await stack.workers[0]?.kill9();
    },
  ],
];

describe('a lane at its limit', () => {
  it.each(disturbances)('keeps to it and uses it again when %s', async (what, disturb) => {
    const stage = await setStage({ workers: 2, concurrency: 64 });
    try {
      const { stack, submit, calls, settleAndJudge, ledger } = stage;
      await configureProvider(String(stack.simulatorUrl), {
        limits: { '*': { requests_per_minute: PER_MINUTE } },
        start_level: 0.1,
        latency: { kind: 'log_normal', median_ms: 200, sigma: 0.3 },
      });
      const submitting = submit('paced', JOBS);
      await eventually(async () => (await calls()).length >= 700, { timeoutMs: 60_000 });
      await disturb(stage);
      const disturbedMs = Date.now();
      await submitting;
      await settleAndJudge(120_000);
      expect(ledger.violations).toEqual([]);

      const all = await calls();
      const refused = all.filter(({ status }) => status === 429);
      const fromMs = disturbedMs + REGAINED_WITHIN_MS;
      const regained = all.filter(
        ({ at_ms, status }) => status === 200 && at_ms >= fromMs && at_ms < fromMs + JUDGED_MS,
      );
      const share = regained.length / ((PER_MINUTE / 60_000) * JUDGED_MS);
      const seconds = new Map<number, number>();
      for (const { at_ms } of all.filter((call) => call.at_ms >= disturbedMs)) {
        const second = Math.floor(at_ms / 1000);
        seconds.set(second, (seconds.get(second) ?? 0) + 1);
      }
      const most = Math.max(...seconds.values());
      console.log(
        `${what}: ${all.length} calls, ${refused.length} refused, afterwards ${share.toFixed(3)} of the limit used, at most ${most} calls in a second`,
      );
      // The refill of a second, and what stood in the bucket: its floor, and what came in while nobody could call.
      expect(most).toBeLessThanOrEqual(PER_MINUTE / 60 + 0.05 * PER_MINUTE);
      expect(refused.length / all.length).toBeLessThanOrEqual(0.005);
      expect(share).toBeGreaterThanOrEqual(0.9);
      expect(all.length).toBeGreaterThanOrEqual(JOBS);
    } finally {
      await stage.stop();
    }
  });
});
