import { isSettled, type JobStatus } from '@nightshift/shared/job';
import type { Subscriber } from '@nightshift/shared/redis';

/**
 * - `settled`, `changed`: the job did; read it.
 * - `reread`: messages may have been lost, since the connection was; read it.
 * - `closing`: this process is about to end; answer with what is known.
 */
export type JobSignal = 'settled' | 'changed' | 'reread' | 'closing';

type SignalListener = (signal: JobSignal) => void;

export interface EventHub {
  /**
   * Follows one job. Once this resolves nothing that happens to the job goes by unseen, so read the job afterwards.
   * Resolves to the function that ends it. Rejects when Redis is away.
   */
  follow(tenant: string, jobId: string, listener: SignalListener): Promise<() => void>;
  followers(): number;
  /** Tells all who follow, and all who come later, to finish. */
  finishAll(): void;
  /** Ends the subscription's timer; the connection belongs to whoever made it. */
  close(): void;
}

/** A busy API gains and loses its last follower all the time; that must not become subscription traffic. */
const RELEASE_AFTER_MS = 5000;

/**
 * One subscription for the whole process, however many follow a job: opened for the first, given up some seconds
 * after the last.
 */
export function createEventHub({
  subscriber,
  channel,
  releaseAfterMs = RELEASE_AFTER_MS,
}: {
  subscriber: Subscriber;
  channel: string;
  releaseAfterMs?: number;
}): EventHub {
  const listeners = new Map<string, Set<SignalListener>>();
  let count = 0;
  let subscribed: Promise<void> | undefined;
  let releaseTimer: NodeJS.Timeout | undefined;
  let finishing = false;

  const onChange = (change: string): void => {
    const [tenant = '', jobId = '', status = ''] = change.split(' ', 3);
    const own = listeners.get(`${tenant} ${jobId}`);
    if (own === undefined) return;
    const signal = isSettled(status as JobStatus) ? 'settled' : 'changed';
    for (const listener of own) listener(signal);
  };
  const onMessage = (message: string): void => {
    for (const change of message.split('\n')) onChange(change);
  };
  const tellAll = (signal: JobSignal): void => {
    for (const own of listeners.values()) for (const listener of own) listener(signal);
  };
  subscriber.onResumed(() => {
    tellAll('reread');
  });

  const unsubscribe = (): void => {
    subscribed = undefined;
    // Fails only when the connection is gone, and the subscription with it.
    subscriber.unsubscribe(channel).catch(() => {});
  };
  const subscribe = async (): Promise<void> => {
    subscribed ??= subscriber.subscribe(channel, onMessage);
    const mine = subscribed;
    try {
      await mine;
    } catch (error) {
      if (subscribed === mine) unsubscribe();
      throw error;
    }
  };
  const remove = (key: string, listener: SignalListener): void => {
    const own = listeners.get(key);
    if (own === undefined || !own.delete(listener)) return;
    if (own.size === 0) listeners.delete(key);
    count -= 1;
    if (count > 0) return;
    clearTimeout(releaseTimer);
    releaseTimer = setTimeout(() => {
      if (count === 0 && subscribed !== undefined) unsubscribe();
    }, releaseAfterMs).unref();
  };

  return {
    follow: async (tenant, jobId, listener) => {
      const key = `${tenant} ${jobId}`;
      const own = listeners.get(key) ?? new Set();
      listeners.set(key, own);
      own.add(listener);
      count += 1;
      try {
        await subscribe();
      } catch (error) {
        remove(key, listener);
        throw error;
      }
      if (finishing) listener('closing');
      return () => {
        remove(key, listener);
      };
    },
    followers: () => count,
    finishAll: () => {
      finishing = true;
      tellAll('closing');
    },
    close: () => {
      clearTimeout(releaseTimer);
    },
  };
}
