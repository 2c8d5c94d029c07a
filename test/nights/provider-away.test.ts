import { describe, it } from 'vitest';
import { badGateway, overloaded } from '../support/gateway-answers.ts';
import { faultsOfLog } from '../support/night-checks.ts';
import { awayMs, seed } from '../support/night-settings.ts';
import { missingSigns, signs } from '../support/night-signs.ts';
import { onNight, type Night } from '../support/night.ts';
import {
  countAttempts,
  faultsOfTrials,
  FOUND_WITHIN_MS,
  measuredRate,
  seenCalls,
  until,
} from '../support/provider-away.ts';
import type { ProxyMode } from '../support/provider-proxy.ts';
import { seeded } from '../support/random.ts';

const LINES = 2000;
const BULK = 'sim-ok';
/** A lane of its own, in which one job waits alone. */
const SINGLE = 'sim-ok--single';
/** From the provider's return to the end of what was left at the rate of before. */
const BACK_WITHIN_MS = 70_000;

interface Outage {
  title: string;
  mode: ProxyMode;
  /** The mode in the second half of the same outage; a caller sees no difference. */
  later?: ProxyMode;
  latency: unknown;
}

const quick = { kind: 'log_normal', median_ms: 500, sigma: 0.4 };
const outages: Outage[] = [
  {
    // Calls to a closed port cannot be counted here: use the workers' counts, and in the second half the proxy.
    title: 'its port is closed',
    mode: { kind: 'refused' },
    later: { kind: 'dropped' },
    latency: quick,
  },
  { title: 'it resets connections', mode: { kind: 'reset' }, latency: quick },
  {
    title: 'it swallows what it is sent',
    mode: { kind: 'black_hole' },
    latency: { kind: 'uniform', min_ms: 200, max_ms: 2000 },
  },
  { title: 'it answers 503', mode: { kind: 'answer', answer: () => overloaded }, latency: quick },
  {
    title: 'its gateway answers 502 with a page',
    mode: { kind: 'answer', answer: () => badGateway },
    latency: quick,
  },
];

/** The first calls of a lane show how long its calls take. */
async function warmUp(night: Night): Promise<void> {
  const markers = Array.from({ length: 10 }, (_, n) => `warm-${n}`);
  const ids = await Promise.all(markers.map(async (marker) => night.submit(marker, SINGLE)));
  for (const id of ids) await night.settledJob(id, 60_000);
}

describe.concurrent(`the provider is away for ${awayMs / 1000} s, seed ${seed}`, () => {
  it.for(outages)('$title', async ({ mode, later, latency, title }, { expect }) => {
    await onNight({ latency }, async (night) => {
      const { proxy } = night;
      await warmUp(night);
      const batch = await night.begin('line', LINES);
      const ratePerS = await measuredRate(night, batch);
      const counters = {
        [BULK]: await countAttempts(night, BULK),
        [SINGLE]: await countAttempts(night, SINGLE),
      };

      await proxy.become(mode);
      const fromMs = Date.now();
      const jobId = await night.submit('alone', SINGLE);
      const unseen = await missingSigns(night, {
        reason: 'provider_unreachable',
        ...{ batch, jobId, model: BULK, retried: true, workersAlive: 2 },
        says: [/sim-ok/],
        withinMs: Math.min(60_000, awayMs - 5000),
      });
      // The seed decides where in its second half the outage changes its kind.
      if (later !== undefined) {
        await until(fromMs + awayMs * (0.5 + seeded(seed)() / 4));
        await proxy.become(later);
      }
      await until(fromMs + awayMs);
      const { request_counts: counts } = await night.batch(batch.id);
      await proxy.become({ kind: 'pass' });
      const backMs = Date.now();
      for (const counter of Object.values(counters)) await counter.stop();
      const left = LINES - (counts?.completed ?? 0);
      const leftMs = (left / ratePerS) * 1000;

      const settling = [
        night
          .settled(batch.id, BACK_WITHIN_MS + leftMs + 120_000)
          .then((settled) => ({ settled, tookMs: Date.now() - backMs })),
        night
          .settledJob(jobId, BACK_WITHIN_MS + 120_000)
          .then((job) => ({ job, tookMs: Date.now() - backMs })),
      ] as const;
      const [{ settled, tookMs }, single] = await Promise.all(settling);
      const judged = await night.judged(settled, batch.ids);
      console.log(
        `${title}: ${ratePerS.toFixed(1)} lines/s, ${left} left, all done ${Math.round(tookMs / 1000)} s after its return (${Math.round(leftMs / 1000)} s of work), the single job after ${Math.round(single.tookMs / 1000)} s`,
      );

      expect.soft(unseen).toEqual([]);
      expect.soft({ failed: judged.failures.length, status: settled.status }).toEqual({
        failed: 0,
        status: 'completed',
      });
      expect.soft(counts?.failed).toBe(0);
      expect.soft(single.job).toMatchObject({ status: 'completed', waiting_for: null });
      const during = { fromMs, toMs: backMs };
      const seen = { [BULK]: seenCalls(night, BULK), [SINGLE]: seenCalls(night, SINGLE) };
      expect.soft(faultsOfTrials(seen, during)).toEqual([]);
      if (mode.kind === 'refused') {
        const ended = Object.fromEntries(
          Object.entries(counters).map(([model, { instants }]) => [model, instants]),
        );
        // These times are when attempts were seen. In other modes an earlier call can end much later.
        const found = { fromMs: fromMs + FOUND_WITHIN_MS, toMs: backMs };
        expect.soft(faultsOfTrials(ended, found)).toEqual([]);
      }
      // Both lanes together, since a connection does not say whose it is.
      const dropped = proxy.seen
        .filter(({ mode: how }) => how === 'dropped')
        .map(({ atMs }) => atMs);
      expect.soft(dropped.length).toBeLessThanOrEqual(2 * 3 * Math.ceil(awayMs / 2 / 60_000));
      expect.soft(tookMs).toBeLessThanOrEqual(BACK_WITHIN_MS + leftMs);
      expect.soft(single.tookMs).toBeLessThanOrEqual(BACK_WITHIN_MS);
      // Each of the two lanes tells its own state.
      expect.soft(faultsOfLog(night.log(), signs.provider_unreachable.log, 2)).toEqual([]);
      expect.soft((await night.list('lanes')).map(({ state }) => state)).toEqual(['open', 'open']);
      expect.soft((await night.batch(batch.id)).waiting_for).toBeNull();
    });
  });
});
