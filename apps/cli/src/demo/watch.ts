import { setTimeout as sleep } from 'node:timers/promises';
import type { Client, JobView } from './client.ts';
import { progressLine, type Screen, type Standing } from './progress.ts';

export interface WatchOptions {
  client: Client;
  runId: string;
  total: number;
  /** How many were acknowledged so far. */
  submitted: () => number;
  screen: Screen;
  signal: AbortSignal;
  /** How long the whole run may take. */
  deadlineMs: number;
}

export interface Watch {
  /** As they were at the last look. */
  readonly jobs: readonly JobView[];
  elapsedMs(): number;
  /**
   * Looks at the run, shows it, and resolves when it is so. Rejects after `timeoutMs` (by default what is left of the
   * deadline) with what is still open, at the signal, and when the provider refuses to work at all.
   */
  until(
    isSo: (standing: Standing) => boolean | Promise<boolean>,
    otherwise: string,
    timeoutMs?: number,
  ): Promise<void>;
}

/** Between two looks. */
export const LOOK_EVERY_MS = 250;

/** Follows a run through the API until its jobs are where they should be. */
export function startWatch(options: WatchOptions): Watch {
  const { client, runId, total, submitted, screen, signal, deadlineMs } = options;
  const startedAtMs = performance.now();
  const elapsedMs = (): number => performance.now() - startedAtMs;
  let jobs: JobView[] = [];

  const look = async (): Promise<Standing> => {
    const [seen, lanes] = await Promise.all([client.list(runId), client.lanes()]);
    jobs = seen;
    const byStatus: Partial<Record<JobView['status'], number>> = {};
    for (const { status } of jobs) byStatus[status] = (byStatus[status] ?? 0) + 1;
    const retried = jobs.find(({ waiting_for: waitingFor }) => waitingFor?.reason === 'backoff');
    const standing: Standing = {
      total,
      submitted: submitted(),
      byStatus,
      elapsedMs: elapsedMs(),
      lanes,
      waitsFor: retried?.waiting_for?.message ?? null,
    };
    screen.progress(progressLine(standing, Date.now()));
    const paused = lanes.find(({ state }) => state === 'paused');
    if (paused) throw new Error(`the provider refuses ${paused.model}: ${paused.reason}`);
    return standing;
  };

  return {
    get jobs() {
      return jobs;
    },
    elapsedMs,
    until: async (isSo, otherwise, timeoutMs = deadlineMs - elapsedMs()) => {
      const endsAtMs = elapsedMs() + timeoutMs;
      while (!(await isSo(await look()))) {
        if (elapsedMs() > endsAtMs) {
          const elapsed = (elapsedMs() / 1000).toFixed(0);
          throw new Error(`after ${elapsed} s ${otherwise}: ${describeOpen(jobs)}`);
        }
        await sleep(LOOK_EVERY_MS, undefined, { signal });
      }
    },
  };
}

function describeOpen(jobs: readonly JobView[]): string {
  const open = jobs.filter(({ settled_at: settledAt }) => settledAt === null);
  const some = open
    .slice(0, 3)
    .map(
      ({ id, model, status, waiting_for: waitingFor }) =>
        `${id} (${model}) is ${status}${waitingFor ? `: ${waitingFor.message}` : ''}`,
    );
  return `${open.length} jobs are open; ${some.join('; ')}`;
}
