import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { eventually } from '@nightshift/local';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  badGateway,
  firewallPage,
  forMarkers,
  forShare,
  brokenEngine,
  overloaded,
} from '../support/gateway-answers.ts';
import { startProviderProxy, type ProviderProxy } from '../support/provider-proxy.ts';

let provider: Server;
let proxy: ProviderProxy;
let reached: string[];
/** While set, the provider holds its answers back. */
let held: (() => void)[] | null;

beforeEach(async () => {
  reached = [];
  held = null;
  provider = createServer((request, response) => {
    request.resume();
    reached.push(`${request.method} ${request.url}`);
    const answer = (): void => {
      response.writeHead(200, { 'content-type': 'application/json', 'x-from': 'provider' });
      response.end('{"ok":true}');
    };
    if (held === null) answer();
    else held.push(answer);
  });
  provider.listen(0, '127.0.0.1');
  await once(provider, 'listening');
  proxy = await startProviderProxy();
  proxy.forwardTo(`http://127.0.0.1:${(provider.address() as AddressInfo).port}/v1`);
});
afterEach(async () => {
  await proxy.stop();
  provider.closeAllConnections();
  provider.close();
});

const ask = async (marker = 'm', signal?: AbortSignal): Promise<Response> =>
  fetch(`${proxy.url}/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'gpt', metadata: { marker } }),
    ...(signal && { signal }),
  });
const failure = async (call: Promise<Response>): Promise<string> =>
  call.then(
    ({ status }) => `answered ${status}`,
    (error: { name: string; cause?: { code?: string } }) => error.cause?.code ?? error.name,
  );
const lostConnection = expect.stringMatching(/^(ECONNRESET|UND_ERR_SOCKET)$/);

describe('a proxy before a provider', () => {
  it('forwards calls and answers, and records them', async () => {
    const answer = await ask('one');
    expect(answer.headers.get('x-from')).toBe('provider');
    expect(await answer.json()).toEqual({ ok: true });
    expect(reached).toEqual(['POST /v1/chat/completions']);
    expect(proxy.seen).toMatchObject([
      { mode: 'pass', status: 200, request: { method: 'POST', model: 'gpt', marker: 'one' } },
    ]);
    expect(Math.abs(Date.now() - (proxy.seen[0]?.atMs ?? 0))).toBeLessThan(10_000);
  });

  it('refuses connections, resets those that are open, and comes back on the same port', async () => {
    await (await ask()).text();
    held = [];
    const inFlight = failure(ask('in flight'));
    await eventually(() => held?.length === 1);
    await proxy.become({ kind: 'refused' });
    expect(await inFlight).toEqual(lostConnection);
    expect(await failure(ask())).toBe('ECONNREFUSED');
    held = null;
    await proxy.become({ kind: 'pass' });
    expect((await ask()).status).toBe(200);
    expect(proxy.seen.every(({ mode }) => mode === 'pass')).toBe(true);
  });

  it('drops connections on accept, and counts them', async () => {
    await proxy.become({ kind: 'dropped' });
    expect(await failure(ask())).toEqual(lostConnection);
    expect(await failure(ask())).toEqual(lostConnection);
    expect(proxy.seen).toMatchObject([
      { mode: 'dropped', request: null },
      { mode: 'dropped', request: null },
    ]);
    expect(reached).toEqual([]);
    await proxy.become({ kind: 'pass' });
    expect((await ask()).status).toBe(200);
  });

  it('resets connections after it has read the request', async () => {
    await proxy.become({ kind: 'reset' });
    expect(await failure(ask('read'))).toEqual(lostConnection);
    expect(proxy.seen).toMatchObject([{ mode: 'reset', request: { marker: 'read' } }]);
    expect(reached).toEqual([]);
  });

  it('never answers calls in a black hole, including those in flight, even after it forwards again', async () => {
    held = [];
    const leaving = new AbortController();
    const ends: string[] = [];
    const hang = (marker: string): void => {
      void failure(ask(marker, leaving.signal)).then((end) => ends.push(end));
    };
    hang('in flight');
    await eventually(() => held?.length === 1);
    await proxy.become({ kind: 'black_hole' });
    hang('new');
    await eventually(() => proxy.seen.length === 2);
    for (const answer of held ?? []) answer();
    held = null;
    await proxy.become({ kind: 'pass' });
    expect((await ask('after')).status).toBe(200);
    expect(ends).toEqual([]);
    expect(reached).toHaveLength(2);
    leaving.abort();
    await eventually(() => ends.length === 2);
    expect(ends).toEqual(['AbortError', 'AbortError']);
  });

  it('answers itself, with JSON or HTML, and lets calls in flight end', async () => {
    held = [];
    const inFlight = ask('in flight');
    await eventually(() => held?.length === 1);
    await proxy.become({ kind: 'answer', answer: () => overloaded });
    const busy = await ask();
    expect(busy.status).toBe(503);
    expect(await busy.json()).toMatchObject({ error: { type: 'server_error' } });
    await proxy.become({ kind: 'answer', answer: () => badGateway });
    const broken = await ask();
    expect(broken.status).toBe(502);
    expect(broken.headers.get('content-type')).toMatch(/^text\/html/);
    expect(await broken.text()).toMatch(/^<!DOCTYPE html>/);
    for (const answer of held) answer();
    expect((await inFlight).status).toBe(200);
    expect(reached).toHaveLength(1);
    expect(proxy.seen.map(({ status }) => status)).toEqual([200, 503, 502]);
  });

  it('answers a share of the calls, the same ones for the same seed', async () => {
    const round = async (seed: number): Promise<number[]> => {
      await proxy.become({ kind: 'answer', answer: forShare(brokenEngine, 0.5, seed) });
      const statuses: number[] = [];
      for (let n = 0; n < 60; n += 1) {
        const answer = await ask();
        statuses.push(answer.status);
        await answer.text();
      }
      return statuses;
    };
    const first = await round(7);
    const failed = first.filter((status) => status === 500).length;
    expect(failed).toBeGreaterThan(15);
    expect(failed).toBeLessThan(45);
    expect(await round(7)).toEqual(first);
    expect(await round(8)).not.toEqual(first);
  });

  it('answers calls with a marker and forwards all others', async () => {
    await proxy.become({ kind: 'answer', answer: forMarkers({ bad: firewallPage }) });
    expect((await ask('bad')).status).toBe(403);
    expect((await ask('good')).status).toBe(200);
    expect((await ask('__proto__')).status).toBe(200);
    expect((await fetch(`${proxy.url}/models`)).status).toBe(200);
    expect(reached).toHaveLength(3);
  });
});
