import type { RedisConnection } from './connect.ts';

/** One connection in subscriber mode, shared by everything in the process that listens. */
export interface Subscriber {
  /** Calls `onMessage` for each message; resolves once Redis has confirmed the subscription. */
  subscribe(channel: string, onMessage: (message: string) => void): Promise<void>;
  unsubscribe(channel: string): Promise<void>;
  /** Called after a reconnect: messages of the time in between are lost, so read what you follow again. */
  onResumed(listener: () => void): void;
  close(): void;
}

export function createSubscriber(connection: RedisConnection): Subscriber {
  const listeners = new Map<string, (message: string) => void>();
  const resumed: (() => void)[] = [];
  let wasReady = connection.status === 'ready';
  connection.on('message', (channel: string, message: string) => {
    listeners.get(channel)?.(message);
  });
  connection.on('ready', () => {
    if (wasReady) void resume();
    wasReady = true;
  });
  // Subscribed again first and read afterwards: the other way round a change in between would go unseen.
  const resume = async (): Promise<void> => {
    try {
      if (listeners.size > 0) await connection.subscribe(...listeners.keys());
    } catch {
      return; // Gone again; the next reconnect comes back here.
    }
    for (const listener of resumed) listener();
  };
  return {
    subscribe: async (channel, onMessage) => {
      listeners.set(channel, onMessage);
      await connection.subscribe(channel);
    },
    unsubscribe: async (channel) => {
      listeners.delete(channel);
      await connection.unsubscribe(channel);
    },
    onResumed: (listener) => {
      resumed.push(listener);
    },
    close: () => {
      connection.disconnect();
    },
  };
}
