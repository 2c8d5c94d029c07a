import type { Conducting } from '@nightshift/shared/redis';
import { conduct, type ConductorDependencies } from './conductor.ts';

/** How often batches without a conductor are looked for, and the own ones kept, when nobody tells of a new one. */
const LOOK_MS = 500;
const MOST = 32;

export interface Conductors {
  /** Resolves when batches are conducted. */
  start(): Promise<void>;
  /** Looks at once: there is a new batch. */
  nudge(): void;
  stop(): Promise<void>;
}

/** Conducts batches that nobody conducts, as many as one process may; every worker runs it. */
export function createConductors(
  dependencies: ConductorDependencies & { workerId: string },
): Conductors {
  const { store, jobs, clock, logger, workerId } = dependencies;
  const stopping = new AbortController();
  const own = new Map<string, { abort: AbortController; over: Promise<void> }>();
  let running: Promise<void> | undefined;
  let nudged = new AbortController();

  const begin = (conducting: Conducting): void => {
    const { id } = conducting;
    const abort = new AbortController();
    const over = conduct(conducting, dependencies, abort.signal)
      .catch((error: unknown) => {
        logger.error({ err: error, batchId: id }, 'batch.conductor_broke');
      })
      .finally(() => own.delete(id));
    own.set(id, { abort, over });
    logger.info({ batchId: id, epoch: conducting.epoch }, 'batch.conducted');
  };

  const look = async (): Promise<void> => {
    for (const tenant of await jobs.tenants()) {
      for (const id of await store.open(tenant)) {
        const mine = own.get(id);
        if (mine === undefined && own.size >= MOST) continue;
        const conducting = await store.take(tenant, id, workerId);
        if (conducting === null) mine?.abort.abort(new Error('the batch has another conductor'));
        else if (mine === undefined && !stopping.signal.aborted) begin(conducting);
      }
    }
  };

  const loop = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      nudged = new AbortController();
      try {
        await look();
      } catch (error) {
        logger.warn({ reason: (error as Error).message }, 'batches.not_looked_at');
      }
      const interrupted = AbortSignal.any([stopping.signal, nudged.signal]);
      await clock.sleep(LOOK_MS, interrupted).catch(() => undefined);
    }
  };

  return {
    start: async () => {
      running ??= loop();
    },
    nudge: () => {
      nudged.abort();
    },
    stop: async () => {
      stopping.abort();
      for (const { abort } of own.values()) abort.abort(new Error('the worker stops'));
      await Promise.all([running, ...[...own.values()].map(async ({ over }) => over)]);
    },
  };
}
