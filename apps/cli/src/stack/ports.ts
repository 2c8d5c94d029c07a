import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * Null when a server could listen there now, else why not: `EADDRINUSE`, `EACCES` (below 1024), `EADDRNOTAVAIL` (not
 * an address of this machine), `ENOTFOUND` …
 */
export async function whyNotListen(host: string, port: number): Promise<string | null> {
  const server = createServer();
  try {
    server.listen(port, host);
    await once(server, 'listening');
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'error';
  }
  server.close();
  await once(server, 'close');
  return null;
}

/** The address under which this machine reaches a server that listens on `host`. */
export function reachableHost(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}
