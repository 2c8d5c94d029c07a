import { setTimeout as sleep } from 'node:timers/promises';
import { describe, it } from 'vitest';
import {
  brokenEngine,
  firewallPage,
  flaggedInput,
  forMarkers,
  forShare,
  tooManyTokens,
} from '../support/gateway-answers.ts';
import { attemptsTold } from '../support/night-checks.ts';
import { seed } from '../support/night-settings.ts';
import { onNight, type Night } from '../support/night.ts';
import { seenCalls } from '../support/provider-away.ts';
import { seeded } from '../support/random.ts';

const MODEL = 'sim-ok';
const MAX_ATTEMPTS = 8;

/** The states that a lane was seen in, until the work ends. */
async function statesDuring<Result>(
  night: Night,
  work: Promise<Result>,
): Promise<{ result: Result; states: string[] }> {
  const states: string[] = [];
  const done = new AbortController();
  const looking = (async () => {
    while (!done.signal.aborted) {
      const lane = (await night.list('lanes')).find((one) => one['model'] === MODEL);
      if (lane !== undefined) states.push(String(lane['state']));
      // How often the lane is sampled; nothing waits for it.
      await sleep(500, undefined, { signal: done.signal }).catch(() => {});
    }
  })();
  try {
    return { result: await work, states };
  } finally {
    done.abort();
    await looking;
  }
}

const share = (states: readonly string[], state: string): number =>
  states.filter((one) => one === state).length / Math.max(1, states.length);

const callsOf = (night: Night, marker: string): number =>
  night.proxy.seen.filter(({ request }) => request?.marker === marker).length;

describe.concurrent(`requests that a provider answers badly, seed ${seed}`, () => {
  it('slows down but continues while half of the calls get a 500', async ({ expect }) => {
    const latency = { kind: 'log_normal', median_ms: 300, sigma: 0.4 };
    // With the usual backoff, a line that needs all of its attempts would take three minutes.
    const config = { retry: { base_ms: 500, cap_ms: 10_000 } };
    await onNight({ latency, concurrency: 64, config }, async (night) => {
      await night.proxy.become({ kind: 'answer', answer: forShare(brokenEngine, 0.5, seed) });
      const batch = await night.begin('half', 2000);
      const startedMs = Date.now();
      const { result, states } = await statesDuring(night, night.settled(batch.id, 600_000));
      const tookS = Math.round((Date.now() - startedMs) / 1000);
      const { failures } = await night.judged(result, batch.ids);
      const calls = seenCalls(night, MODEL).length;
      console.log(
        `half of the calls 500: ${calls} calls in ${tookS} s, ${failures.length} lines failed, unreachable ${Math.round(100 * share(states, 'unreachable'))} % of the time`,
      );
      expect.soft(result.status).toBe('completed');
      // Eight attempts fail for one line in 256: 8 lines, give or take 3.
      expect.soft(failures.length).toBeLessThanOrEqual(25);
      expect
        .soft(
          failures.every(
            ({ response, error }) =>
              response?.status_code === 500 || error?.code === 'provider_error',
          ),
        )
        .toBe(true);
      expect.soft(calls).toBeLessThanOrEqual(2000 * 2.5);
      expect.soft(share(states, 'unreachable')).toBeLessThanOrEqual(0.2);
      // The last of eight attempts comes two minutes after the first at the earliest.
      expect.soft(tookS).toBeLessThanOrEqual(360);
      expect.soft(attemptsTold(night.log())).toEqual([]);
    });
  });

  it('fails one poison line among 2,000, and completes all others', async ({ expect }) => {
    const latency = { kind: 'log_normal', median_ms: 500, sigma: 0.4 };
    // Its attempts must be used up while the others run: alone in the lane each would take ten minutes.
    const config = { retry: { base_ms: 200, cap_ms: 2000 } };
    await onNight({ latency, config }, async (night) => {
      const poison = `line-${Math.floor(seeded(seed)() * 300)}`;
      await night.proxy.become({
        kind: 'answer',
        answer: forMarkers({ [poison]: brokenEngine }),
      });
      const batch = await night.begin('line', 2000);
      const startedMs = Date.now();
      const { result, states } = await statesDuring(night, night.settled(batch.id, 300_000));
      const { failures } = await night.judged(result, batch.ids);
      console.log(
        `poison ${poison}: ${callsOf(night, poison)} calls, ended after ${Math.round((Date.now() - startedMs) / 1000)} s`,
      );
      expect.soft(failures.map(({ custom_id: id }) => id)).toEqual([poison]);
      const [failure] = failures;
      expect
        .soft(failure?.error?.code === 'provider_error' || failure?.response?.status_code === 500)
        .toBe(true);
      expect.soft(callsOf(night, poison)).toBeLessThanOrEqual(MAX_ATTEMPTS + 3);
      expect.soft(share(states, 'unreachable')).toBeLessThanOrEqual(0.1);
      expect.soft(attemptsTold(night.log())).toEqual([]);
    });
  });

  it('fails only the one refused request, and keeps the lane open', async ({ expect }) => {
    const latency = { kind: 'log_normal', median_ms: 800, sigma: 0.3 };
    await onNight({ latency, concurrency: 4 }, async (night) => {
      const random = seeded(seed);
      const [blocked, flagged, greedy] = [0, 1, 2].map(
        (part) => `line-${part * 50 + Math.floor(random() * 50)}`,
      ) as [string, string, string];
      await night.proxy.become({
        kind: 'answer',
        answer: forMarkers({
          [blocked]: firewallPage,
          [flagged]: flaggedInput,
          [greedy]: tooManyTokens,
        }),
      });
      const batch = await night.begin('line', 200);
      const startedMs = Date.now();
      // The oversized line is refused as long as other lines of its lane succeed.
      const company: string[] = [];
      const ended = new AbortController();
      const accompany = (async () => {
        while (!ended.signal.aborted) {
          company.push(await night.submit(`company-${company.length}`, MODEL));
          // The rate of this load; nothing waits for it.
          await sleep(500);
        }
      })();
      const { result, states } = await statesDuring(
        night,
        night.settled(batch.id, 320_000),
      ).finally(async () => {
        ended.abort();
        await accompany;
      });
      const tookS = Math.round((Date.now() - startedMs) / 1000);
      const { failures } = await night.judged(result, batch.ids);
      const refused = callsOf(night, greedy);
      console.log(
        `refusals: ended after ${tookS} s, ${refused} calls of the greedy line, paused ${Math.round(100 * share(states, 'paused'))} % of the time`,
      );
      const statuses = Object.fromEntries(
        failures.map(({ custom_id: id, response }) => [id, response?.status_code]),
      );
      expect.soft(statuses).toEqual({ [blocked]: 403, [flagged]: 403, [greedy]: 429 });
      const said = JSON.stringify(failures.map(({ response }) => response?.body));
      for (const words of [/have been blocked/, /input was flagged/, /Too many tokens/]) {
        expect.soft(said).toMatch(words);
      }
      expect.soft(refused).toBeGreaterThanOrEqual(8);
      expect.soft(refused).toBeLessThanOrEqual(12);
      for (const refusedOnce of [blocked, flagged]) {
        expect.soft(callsOf(night, refusedOnce)).toBeLessThanOrEqual(3);
      }
      for (const id of company) {
        expect.soft((await night.settledJob(id, 60_000)).status).toBe('completed');
      }
      expect.soft(share(states, 'paused')).toBeLessThanOrEqual(0.2);
      expect.soft((await night.list('lanes')).map(({ state }) => state)).not.toContain('paused');
      expect.soft(tookS).toBeLessThanOrEqual(300);
      expect.soft(attemptsTold(night.log())).toEqual([]);
    });
  });
});
