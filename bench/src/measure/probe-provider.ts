import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { performance } from 'node:perf_hooks';

export interface ProbeProvider {
  /** Base URL for SDKs, with `/v1`. */
  readonly url: string;
  /** Resolves to when the request of that marker had been read whole, on this process's monotonic clock. */
  received(marker: string): Promise<number>;
  stop(): Promise<void>;
}

const RECEIPT_TIMEOUT_MS = 60_000;

/** A provider in this very process that answers every chat completion at once and notes when each came in. */
export async function startProbeProvider(): Promise<ProbeProvider> {
  const awaited = new Map<string, (at: number) => void>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const at = performance.now();
      const body = JSON.parse(Buffer.concat(chunks).toString()) as { model: string; user: string };
      awaited.get(body.user)?.(at);
      awaited.delete(body.user);
      const answer = JSON.stringify(completion(body.model));
      response.writeHead(200, {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(answer),
      });
      response.end(answer);
    });
  });
  // Longer than a worker keeps idle connections: none is to be closed under a request.
  server.keepAliveTimeout = 120_000;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;

  return {
    url: `http://127.0.0.1:${port}/v1`,
    received: async (marker) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          awaited.delete(marker);
          reject(
            new Error(`the provider did not get ${marker} within ${RECEIPT_TIMEOUT_MS / 1000} s`),
          );
        }, RECEIPT_TIMEOUT_MS);
        awaited.set(marker, (at) => {
          clearTimeout(timer);
          resolve(at);
        });
      }),
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function completion(model: string): object {
  return {
    id: 'chatcmpl-probe',
    object: 'chat.completion',
    created: 0,
    model,
    choices: [
      { index: 0, message: { role: 'assistant', content: 'mixed' }, finish_reason: 'stop' },
    ],
    usage: { prompt_tokens: 80, completion_tokens: 1, total_tokens: 81 },
  };
}
