import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Bag, type Place } from '@nightshift/shared/collections';
import type { Api } from './build-app.ts';

/** Calls that are still being answered after this long are cut off. */
const CLOSE_WITHIN_MS = 10_000;
const SWEEP_EVERY_MS = 25;

/**
 * Ends a server in order: what it is answering is answered. To be made before it listens, since it remembers the
 * connections that say nothing: to Node they are as busy as those that are being answered.
 */
export function serverCloser(app: Api): () => Promise<void> {
  const { server } = app;
  const silent = new Bag<Socket>();
  const places = new WeakMap<Socket, Place<Socket>>();
  /** False when it has said something before. */
  const speaks = (socket: Socket): boolean => {
    const place = places.get(socket);
    places.delete(socket);
    return place !== undefined && silent.delete(place);
  };
  const forget = function (this: Socket): void {
    speaks(this);
  };
  server.on('connection', (socket) => {
    places.set(socket, silent.add(socket));
    socket.once('close', forget);
  });
  server.on('request', ({ socket }) => {
    // A second listener beside Node's own, on a connection that goes on, kept each of its requests until the next major
    // collection: the minor ones took a fifth of a busy process's time, measured.
    if (speaks(socket)) socket.off('close', forget);
  });

  /** Those that were answering when the server stopped listening become idle one by one. */
  const sweep = (): void => {
    server.closeIdleConnections();
    for (const socket of silent) if (socket.bytesRead === 0) socket.destroy();
  };
  return async () => {
    const closed = app.close();
    const sweeping = setInterval(sweep, SWEEP_EVERY_MS);
    const stop = new AbortController();
    const deadline = delay(CLOSE_WITHIN_MS, undefined, { signal: stop.signal }).then(
      () => {
        server.closeAllConnections();
      },
      () => {},
    );
    try {
      await closed;
    } finally {
      clearInterval(sweeping);
      stop.abort();
      await deadline;
    }
  };
}
