import { setTimeout as sleep } from 'node:timers/promises';
import { waitsOf, type Waits } from './figures.ts';
import type { Provider } from './provider.ts';
import type { Regime } from './regimes.ts';
import type { PacingSide } from './sides/side.ts';
import { createIdle, createInteractive } from './workload.ts';

/** When each job was accepted by its marker, in milliseconds since the epoch on the provider's clock. */
type AcceptedAt = Map<string, number>;

export interface InteractiveStream {
  /** How many jobs there will have been. */
  expected: number;
  /** Resolves to what was handed in. */
  stop(): Promise<AcceptedAt>;
}

/** Hands in interactive jobs at their times, beside the bulk. */
export function startInteractive(options: {
  regime: Regime;
  seconds: number;
  seed: number;
  side: PacingSide;
  /** The first call, on the provider's clock. */
  startedMs: number;
  offsetMs: number;
}): InteractiveStream {
  const { regime, seconds, seed, side, startedMs, offsetMs } = options;
  const { submit } = side;
  const arrivals = submit === null ? [] : createInteractive(regime, seconds, seed);
  const accepted: AcceptedAt = new Map();
  const stopping = new AbortController();
  const nowMs = (): number => performance.timeOrigin + performance.now() + offsetMs;
  const feed = async (): Promise<void> => {
    const pending: Promise<void>[] = [];
    for (const { atMs, job } of arrivals) {
      await sleep(Math.max(0, startedMs + atMs - nowMs()), undefined, { signal: stopping.signal });
      pending.push(
        submit?.(job).then((ms) => void accepted.set(job.marker, ms + offsetMs)) ??
          Promise.resolve(),
      );
    }
    await Promise.all(pending);
  };
  const feeding = feed().catch((error: unknown) => {
    if (!stopping.signal.aborted) throw error;
  });
  return {
    expected: arrivals.length,
    stop: async () => {
      stopping.abort();
      await feeding;
      return accepted;
    },
  };
}

const IDLE_JOBS = 20;
const IDLE_GAP_MS = 500;
const IDLE_PATIENCE_MS = 20_000;

/** The same wait with nothing else to do, one job at a time, after the run and a rest. */
export async function waitOnIdle(
  regime: Regime,
  side: PacingSide,
  provider: Provider,
): Promise<Waits | null> {
  if (side.submit === null) return null;
  await sleep(side.restMs);
  const offsetMs = await provider.clockOffsetMs();
  const accepted: AcceptedAt = new Map();
  for (const job of createIdle(regime, IDLE_JOBS)) {
    accepted.set(job.marker, (await side.submit(job)) + offsetMs);
    await sleep(IDLE_GAP_MS);
  }
  const deadlineMs = performance.now() + IDLE_PATIENCE_MS;
  for (;;) {
    const waits = waitsOf(accepted, await provider.charged());
    if (waits === null || Number.isFinite(waits.maxMs) || performance.now() > deadlineMs)
      return waits;
    await sleep(1000);
  }
}
