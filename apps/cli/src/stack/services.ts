import { freePort, type Env } from '@nightshift/local';
import { reachableHost } from './ports.ts';
import type { ProcessSpec } from './processes.ts';

const LOOPBACK = '127.0.0.1';

/** Where the API is reached from this machine, without a slash at the end. */
export const apiUrl = (host: string, port: number): string =>
  `http://${reachableHost(host)}:${port}`;

export function apiSpec(host: string, port: number): ProcessSpec {
  return {
    name: 'api',
    command: 'api',
    env: { HOST: host, PORT: String(port) },
    readyWhen: async () => await isReady(`${apiUrl(host, port)}/readyz`),
  };
}

export function workerSpec(name: string): ProcessSpec {
  return { name, command: 'worker', readyWhen: /worker\.ready/ };
}

/** The simulated provider on a free port; `url` is its base URL, `http://127.0.0.1:PORT/v1`. */
export async function simulatorSpec(
  args: readonly string[],
): Promise<{ spec: ProcessSpec; url: string }> {
  const port = await freePort();
  const url = `http://${LOOPBACK}:${port}/v1`;
  const spec: ProcessSpec = {
    name: 'simulator',
    command: 'simulator',
    args: [...args, '--host', LOOPBACK, '--port', String(port)],
    readyWhen: /simulator listening on/,
  };
  return { spec, url };
}

/** What API and workers need to call the simulated provider and nobody else. */
export const simulatedProvider = (url: string): Env => ({
  OPENAI_BASE_URL: url,
  OPENAI_API_KEY: 'simulated',
});

/** An API that listens elsewhere than on loopback asks for a key even on its health page: that is an answer too. */
async function isReady(url: string): Promise<boolean> {
  const response = await fetch(url, { signal: AbortSignal.timeout(2000) });
  await response.body?.cancel();
  return [200, 401, 403].includes(response.status);
}

/** A URL for people: user name, password and query may hold secrets. */
export function withoutSecrets(url: string): string {
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname.replace(/\/$/, '')}`;
}
