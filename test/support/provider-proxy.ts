import { once } from 'node:events';
import {
  Agent,
  createServer,
  request as send,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { eventually } from '@nightshift/local';
import type { GatewayAnswer } from './gateway-answers.ts';

/** A request that came whole. GET requests are recorded too: `doctor` asks for the models. */
export interface ProxyRequest {
  method: string;
  path: string;
  model: string | null;
  marker: string | null;
}

/**
 * - `refused`: the port is closed and open connections are reset, so calls cannot be counted here.
 * - `dropped`: connections are accepted and reset at once. To a caller this is like `refused`, but calls can be counted.
 * - `reset`: the request is read, then its connection is reset. Calls in flight are reset too.
 * - `black_hole`: requests are read and never answered. Calls in flight are never answered, not even after the mode ends.
 * - `answer`: requests get this answer and never reach the provider. Null passes one on. Calls in flight are answered.
 */
export type ProxyMode =
  | { kind: 'pass' | 'refused' | 'dropped' | 'reset' | 'black_hole' }
  | { kind: 'answer'; answer: (request: ProxyRequest) => GatewayAnswer | null };

/** What the proxy saw, in order. A dropped connection carries no request. */
interface SeenCall {
  atMs: number;
  mode: ProxyMode['kind'];
  request: ProxyRequest | null;
  /** Of the answer; null while there is none. */
  status: number | null;
}

export interface ProviderProxy {
  /** `http://127.0.0.1:PORT/v1`, the same for as long as it lives. */
  readonly url: string;
  readonly seen: readonly SeenCall[];
  /** Where `pass` goes: a base URL such as `http://127.0.0.1:4000/v1`. */
  forwardTo(url: string): void;
  /** Resolves once the mode is in force. */
  become(mode: ProxyMode): Promise<void>;
  stop(): Promise<void>;
}

const HOST = '127.0.0.1';

/** A proxy between the workers and a provider, on one port, that injects faults. */
export async function startProviderProxy(): Promise<ProviderProxy> {
  let mode: ProxyMode = { kind: 'pass' };
  let target: URL | null = null;
  const agent = new Agent({ keepAlive: true });
  const sockets = new Set<Socket>();
  /** Forwarded calls, each with a function that drops its answer. */
  const passing = new Map<Socket, () => void>();
  const seen: SeenCall[] = [];

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await readBody(request);
    const read = describe(request, body);
    const call: SeenCall = { atMs: Date.now(), mode: mode.kind, request: read, status: null };
    seen.push(call);
    if (mode.kind === 'black_hole') return;
    if (mode.kind === 'reset') return void request.socket.resetAndDestroy();
    const own = mode.kind === 'answer' ? mode.answer(read) : null;
    if (own !== null) {
      call.status = own.status;
      response.writeHead(own.status, own.headers).end(own.body);
      return;
    }
    pass(request, response, body, call);
  };

  const pass = (
    request: IncomingMessage,
    response: ServerResponse,
    body: Buffer,
    call: SeenCall,
  ): void => {
    if (target === null) throw new Error('forwardTo() names no provider yet');
    const { method, url: path, socket } = request;
    const headers = { ...request.headers, host: target.host };
    const upstream = send({
      ...{ host: target.hostname, port: target.port, agent },
      ...{ method, path, headers },
    });
    const forget = (): void => {
      passing.delete(socket);
      upstream.destroy();
    };
    passing.set(socket, forget);
    socket.once('close', forget);
    response.once('finish', () => {
      passing.delete(socket);
      socket.off('close', forget);
    });
    upstream.once('response', (answer) => {
      if (!passing.has(socket)) return;
      call.status = answer.statusCode ?? null;
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    upstream.on('error', () => {
      // Aborted on purpose, or by the provider; only in the second case must the caller be told.
      if (passing.delete(socket)) socket.resetAndDestroy();
    });
    upstream.end(body);
  };

  const server = createServer(
    // What hangs here hangs until its caller gives up.
    { keepAliveTimeout: 0, headersTimeout: 0, requestTimeout: 0 },
    (request, response) => {
      serve(request, response).catch(() => request.socket.destroy());
    },
  );
  server.on('connection', (socket) => {
    socket.on('error', () => {
      // Its end is seen by 'close'.
    });
    if (mode.kind === 'dropped') {
      seen.push({ atMs: Date.now(), mode: 'dropped', request: null, status: null });
      socket.resetAndDestroy();
      return;
    }
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });

  const listen = async (port: number): Promise<void> => {
    server.listen(port, HOST);
    await once(server, 'listening');
  };
  const cutAll = (): void => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  await listen(0);
  const { port } = server.address() as AddressInfo;

  return {
    url: `http://${HOST}:${port}/v1`,
    seen,
    forwardTo: (url) => {
      target = new URL(url);
    },
    become: async (next) => {
      mode = next;
      const { kind } = next;
      if (kind === 'refused' && server.listening) server.close();
      if (kind === 'black_hole') for (const lose of passing.values()) lose();
      if (kind === 'refused' || kind === 'dropped' || kind === 'reset') cutAll();
      // A free port may briefly be used by an outgoing connection.
      if (kind !== 'refused' && !server.listening) {
        await eventually(async () => listen(port).then(() => true), {
          timeoutMs: 60_000,
          describe: `port ${port} to be free again`,
        });
      }
    },
    stop: async () => {
      cutAll();
      agent.destroy();
      if (!server.listening) return;
      const closed = once(server, 'close');
      server.close();
      await closed;
    },
  };
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function describe({ method = 'GET', url = '/' }: IncomingMessage, bytes: Buffer): ProxyRequest {
  const body = parseBody(bytes);
  const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);
  return { method, path: url, model: text(body?.model), marker: text(body?.metadata?.marker) };
}

function parseBody(bytes: Buffer): { model?: unknown; metadata?: { marker?: unknown } } | null {
  try {
    return JSON.parse(bytes.toString()) as ReturnType<typeof parseBody>;
  } catch {
    // A GET has none.
    return null;
  }
}
