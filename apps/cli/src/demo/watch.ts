import { setTimeout as sleep } from 'node:timers/promises';
import type { LaneView } from '@nightshift/shared/http';
import { createProgressTracker, type BatchProgress } from '../bulk/progress.ts';
import type { Api } from './api.ts';
import { readCounts } from './ledger.ts';
import { liveView, plainLine, type Refusals } from './progress.ts';
import type { Screen } from './screen.ts';

export interface WatchOptions {
  api: Api;
  batchId: string;
  /** Of the provider that counts for us, or null. */
  simulatorUrl: string | null;
  screen: Screen;
  signal: AbortSignal;
  /** How long the whole run may take. */
  deadlineMs: number;
}

export interface Standing extends BatchProgress {
  lanes: readonly LaneView[];
}

export interface Watch {
  elapsedMs(): number;
  /**
   * Looks at the batch, shows it, and resolves when it is so. Rejects after `timeoutMs` (by default what is left of the
   * deadline), at the signal, and when the provider refuses to work at all.
   */
  until(
    isSo: (standing: Standing) => boolean | Promise<boolean>,
    otherwise: string,
    timeoutMs?: number,
  ): Promise<void>;
}

/** Between two looks. */
export const LOOK_EVERY_MS = 250;

/** A night is followed by the minute, this one by the second. */
const RATE_WINDOW_MS = 10_000;
/** What was done in the first moments says nothing of the speed. */
const SAYS_LITTLE_MS = 4000;

/** Follows a batch through the API until it is where it should be. */
export function startWatch(options: WatchOptions): Watch {
  const { api, batchId, simulatorUrl, screen, signal, deadlineMs } = options;
  const tracker = createProgressTracker(RATE_WINDOW_MS);
  const startedAtMs = performance.now();
  const elapsedMs = (): number => performance.now() - startedAtMs;

  const look = async (): Promise<Standing> => {
    const [batch, lanes, refusals] = await Promise.all([
      api.batch(batchId),
      api.lanes(),
      simulatorUrl === null ? null : readCounts(simulatorUrl),
    ]);
    const progress = tracker.look({ atMs: Date.now(), batch, lanes });
    if (elapsedMs() < SAYS_LITTLE_MS)
      Object.assign(progress, { perSecond: null, estimatedEndMs: null });
    showProgress(screen, progress, refusals);
    const paused = lanes.find(({ state }) => state === 'paused');
    if (paused) throw new Error(`the provider refuses ${paused.model}: ${paused.reason}`);
    return { ...progress, lanes };
  };

  return {
    elapsedMs,
    until: async (isSo, otherwise, timeoutMs = deadlineMs - elapsedMs()) => {
      const endsAtMs = elapsedMs() + timeoutMs;
      for (;;) {
        const standing = await look();
        if (await isSo(standing)) return;
        if (elapsedMs() > endsAtMs) {
          const elapsed = (elapsedMs() / 1000).toFixed(0);
          throw new Error(`after ${elapsed} s ${otherwise}: ${describeStanding(standing)}`);
        }
        await sleep(LOOK_EVERY_MS, undefined, { signal });
      }
    },
  };
}

function showProgress(screen: Screen, progress: BatchProgress, refusals: Refusals): void {
  const { columns, color } = screen;
  screen.show(liveView(progress, refusals, { columns, color }), plainLine(progress, refusals));
}

function describeStanding({ id, status, done, total, lanes }: Standing): string {
  const inFlight = lanes.reduce((sum, lane) => sum + lane.in_flight, 0);
  return `${id} is ${status}, ${done} of ${total} lines have a result, ${inFlight} calls are in flight`;
}
