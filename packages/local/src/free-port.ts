import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';

/** The kernel may hand out a port again as soon as it is closed; two callers must not get the same. */
const given = new Set<number>();

/** A TCP port that was free on 127.0.0.1 a moment ago and was not handed out here before. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 1000; tries += 1) {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    if (!given.has(port)) {
      given.add(port);
      return port;
    }
  }
  throw new Error('no free port on 127.0.0.1 after 1000 tries: stop what listens there');
}

/** Whether nothing listens on that port of 127.0.0.1 now. */
export async function isPortFree(port: number): Promise<boolean> {
  const server = createServer();
  server.listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}
