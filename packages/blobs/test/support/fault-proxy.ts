import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Fault =
  /** Answers 503 SlowDown, and does not ask the server. */
  | 'slow_down'
  /** The server does it, and the connection breaks before the answer. */
  | 'lose_answer'
  /** The server does it, and no answer ever comes. */
  | 'keep_answer'
  /** The connection breaks in the middle of the answer's body. */
  | 'cut_body'
  /** Answers that the bucket's quota is used up. */
  | 'full';

/** What a request is, as far as a test picks by it: `PUT /bucket/key?query`. */
type Choose = (call: string) => Fault | null;

export interface FaultProxy {
  url: string;
  /** For each request from now on. */
  choose: Choose;
  stop(): Promise<void>;
}

/** Stands before a server. Signatures stay valid, since the `Host` of the caller goes on to it. */
export async function startFaultProxy(port: number): Promise<FaultProxy> {
  const proxy: FaultProxy = {
    url: '',
    choose: () => null,
    stop: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
  const server = createServer((incoming, answer) => {
    handle(incoming, answer, port, proxy.choose(`${incoming.method} ${incoming.url}`));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  proxy.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return proxy;
}

function handle(
  incoming: IncomingMessage,
  answer: ServerResponse,
  port: number,
  fault: Fault | null,
): void {
  if (fault === 'slow_down' || fault === 'full') {
    const [status, code] = fault === 'full' ? [507, 'InsufficientStorage'] : [503, 'SlowDown'];
    incoming.resume().once('end', () => {
      answer.writeHead(status, { 'content-type': 'application/xml' });
      answer.end(`<Error><Code>${code}</Code><Message>made up</Message></Error>`);
    });
    return;
  }
  const { method, url, headers } = incoming;
  const outgoing = request({ host: '127.0.0.1', port, method, path: url, headers }, (given) => {
    const socket = answer.socket;
    if (fault === 'lose_answer' || fault === 'keep_answer') {
      given.resume().once('end', () => {
        if (fault === 'lose_answer') socket?.destroy();
      });
      return;
    }
    answer.writeHead(given.statusCode ?? 500, given.headers);
    if (fault === 'cut_body') {
      given.once('data', (chunk: Buffer) => {
        answer.write(chunk.subarray(0, Math.ceil(chunk.length / 2)), () => socket?.destroy());
        given.destroy();
      });
      return;
    }
    given.pipe(answer);
  });
  outgoing.once('error', () => answer.destroy());
  incoming.pipe(outgoing);
}
