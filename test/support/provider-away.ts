import { eventually } from '@nightshift/local';
import { busiestMinute, readMetric } from './night-checks.ts';
import type { Night, RunningBatch } from './night.ts';

/** Lines a second, between the fifth and the second fifth of a batch; resolves at that point of it. */
export async function measuredRate(night: Night, { id, ids }: RunningBatch): Promise<number> {
  const reached = async (share: number): Promise<{ atMs: number; done: number }> => {
    const { request_counts: counts } = await night.reaches(
      id,
      (batch) => (batch.request_counts?.completed ?? 0) >= share * ids.length,
      120_000,
    );
    return { atMs: Date.now(), done: counts?.completed ?? 0 };
  };
  const [from, to] = [await reached(0.2), await reached(0.4)];
  return ((to.done - from.done) / (to.atMs - from.atMs)) * 1000;
}

/** When a lane's attempts ended, from the workers' counts, since the proxy cannot count calls to a closed port. */
export interface AttemptCounter {
  /** The time at which each ended attempt was first seen. */
  instants: number[];
  stop(): Promise<void>;
}

const LOOK_EVERY_MS = 1000;
/** An attempt is seen at the next read, which takes a moment itself. */
export const FOUND_WITHIN_MS = 2 * LOOK_EVERY_MS;

export async function countAttempts(night: Night, model: string): Promise<AttemptCounter> {
  const lane = (await night.list('lanes')).find((one) => one['model'] === model);
  if (lane === undefined) throw new Error(`there is no lane of ${model}`);
  const count = async (): Promise<number> =>
    (await night.workerMetrics())
      .map((text) => readMetric(text, 'nightshift_attempts_total', { lane: String(lane['id']) }))
      .reduce<number>((sum, value) => sum + (value ?? 0), 0);
  const instants: number[] = [];
  let before = await count();
  let failed: unknown = null;
  let pending: Promise<void> = Promise.resolve();
  const timer = setInterval(() => {
    pending = pending
      .then(async () => {
        const now = await count();
        for (; before < now; before += 1) instants.push(Date.now());
      })
      .catch((error: unknown) => {
        failed = error;
      });
  }, LOOK_EVERY_MS);
  return {
    instants,
    stop: async () => {
      clearInterval(timer);
      await pending;
      if (failed !== null) throw failed;
    },
  };
}

/** After so long an outage is known to everyone. */
const NOTICED_WITHIN_MS = 10_000;
const MOST_IN_A_MINUTE = 3;

/** Faults in how often an unreachable provider was called, one sentence for each lane. */
export function faultsOfTrials(
  calls: Readonly<Record<string, readonly number[]>>,
  { fromMs, toMs }: { fromMs: number; toMs: number },
): string[] {
  return Object.entries(calls).flatMap(([lane, instants]) => {
    const most = busiestMinute(instants, fromMs + NOTICED_WITHIN_MS, toMs);
    return most <= MOST_IN_A_MINUTE ? [] : [`${lane}: ${most} calls within one minute`];
  });
}

/** The calls of a model that the proxy saw. */
export function seenCalls({ proxy }: Night, model: string): number[] {
  return proxy.seen
    .filter(({ request }) => request?.method === 'POST' && request.model === model)
    .map(({ atMs }) => atMs);
}

/** Resolves at that instant. What these tests wait for is time itself. */
export async function until(atMs: number): Promise<void> {
  await eventually(() => Date.now() >= atMs, {
    timeoutMs: Math.max(0, atMs - Date.now()) + 10_000,
    intervalMs: 200,
    describe: new Date(atMs).toISOString(),
  });
}
