import { setTimeout as sleep } from 'node:timers/promises';
import { openLoad } from '../measure/load.ts';
import { startProbeProvider } from '../measure/probe-provider.ts';
import type { OverheadOptions } from './options.ts';
import { chatRequest, untilCompleted, type Side, type SideOptions } from './side.ts';

const LOOK_EVERY_MS = 5;
/** Between two jobs, so that each meets a system that has come to rest. */
const REST_MS = 20;

/**
 * How long after its 202 each of `options.pickups` jobs reaches the provider, in milliseconds, on an idle system: each
 * is submitted when the one before is settled. The provider is in this process, so that one clock takes both times.
 * A job that arrives before its 202 has been read counts as 0.
 */
export async function measurePickup(
  start: (options: SideOptions) => Promise<Side>,
  options: OverheadOptions,
): Promise<number[]> {
  await using stack = new AsyncDisposableStack();
  const provider = await startProbeProvider();
  stack.defer(async () => provider.stop());
  const { concurrency, profileDir, warmupJobs, pickups } = options;
  const side = await start({ providerUrl: provider.url, concurrency, profileDir });
  stack.defer(async () => side.stop());
  const load = await openLoad({ ...side, connections: options.connections });
  stack.defer(() => load.close());

  const markers = Array.from({ length: warmupJobs }, (_, at) => `warm-${at}`);
  await load.submitAll(markers.map((marker) => side.wrap(chatRequest(marker))));
  await untilCompleted(side, warmupJobs, LOOK_EVERY_MS);

  const waitsMs: number[] = [];
  for (let at = 0; at < pickups; at += 1) {
    await sleep(REST_MS);
    const marker = `pickup-${at}`;
    const received = provider.received(marker);
    const [accepted] = await load.submitAll([side.wrap(chatRequest(marker))]);
    waitsMs.push(Math.max(0, (await received) - (accepted?.at ?? Number.NaN)));
    await untilCompleted(side, warmupJobs + at + 1, LOOK_EVERY_MS);
  }
  return waitsMs;
}
