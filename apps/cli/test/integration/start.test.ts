import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { eventually, freePort, type Child } from '@nightshift/local';
import { startCli, temporaryFolder } from '../support/cli.ts';
import { createMark } from '../support/processes.ts';

const START_MS = 120_000;

async function setUp() {
  const mark = createMark();
  const port = await freePort();
  const env = { ...mark.env, PORT: String(port), NIGHTSHIFT_DATA_DIR: temporaryFolder() };
  const url = `http://127.0.0.1:${port}`;
  return {
    ...{ mark, env, url },
    start: async () => await startCli({ command: 'start', env, readyWhen: /Ctrl-C stops it/ }),
    submit: async (more: object = {}) => {
      const body = { model: 'gpt-4o-mini', messages: [{ role: 'user', content: 'Hello.' }] };
      const response = await fetch(`${url}/v1/jobs`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ body, ...more }),
      });
      expect(response.status).toBe(202);
      return ((await response.json()) as { id: string }).id;
    },
    read: async (id: string) => {
      const response = await fetch(`${url}/v1/jobs/${id}?wait=30`);
      return (await response.json()) as { status: string; response: unknown };
    },
  };
}

async function interrupt(child: Child): Promise<void> {
  child.signal('SIGINT');
  expect(await child.exited).toEqual({ code: 0, signal: null });
}

test(
  'jobs of one run are there in the next, and what waited goes on',
  async () => {
    const { mark, start, submit, read } = await setUp();
    const first = await start();
    const text = first.lines.join('\n');
    expect(text).toMatch(/provider +simulated, since neither OPENAI_API_KEY nor OPENAI_BASE_URL/);
    expect(text).toMatch(/dashboard +http:\/\/127\.0\.0\.1:\d+\/\n/);
    expect(text).toMatch(/reference +http:\/\/127\.0\.0\.1:\d+\/docs\n/);
    expect(text).toMatch(/curl -s http:\/\/127\.0\.0\.1:\d+\/v1\/jobs /);
    const done = await submit();
    const before = await read(done);
    expect(before.status).toBe('completed');
    // Due only when this run is over.
    const waiting = await submit({ run_at: Math.floor(Date.now() / 1000) + 4 });
    await interrupt(first);
    expect(mark.others(first.pid)).toEqual([]);

    const second = await start();
    expect(await read(done)).toEqual(before);
    expect(await read(waiting)).toMatchObject({ status: 'completed' });
    await interrupt(second);
    expect(mark.others(second.pid)).toEqual([]);
  },
  START_MS,
);

test(
  'a second stack on the same data folder is refused and told of the first',
  async () => {
    const { env, url, start } = await setUp();
    const first = await start();
    const other = { ...env, PORT: String(await freePort()) };
    const second = await startCli({ command: 'start', env: other });
    expect(await second.exited).toMatchObject({ code: 1 });
    expect(second.lines).toEqual([
      expect.stringMatching(
        `^nightshift start: NIGHTSHIFT_DATA_DIR: .* is in use by another stack \\(process ${first.pid}, ${url}\\)`,
      ),
    ]);
    await interrupt(first);
  },
  START_MS,
);

test(
  'a port that is taken is named before anything is started',
  async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const env = { PORT: String(port), NIGHTSHIFT_DATA_DIR: temporaryFolder() };
    const child = await startCli({ command: 'start', env });
    expect(await child.exited).toMatchObject({ code: 1 });
    expect(child.lines).toEqual([
      expect.stringMatching(`^nightshift start: PORT: ${port} is taken on 127\\.0\\.0\\.1`),
    ]);
  },
  START_MS,
);

test(
  'what the API itself refuses stops the start, with its words',
  async () => {
    const { mark, env } = await setUp();
    const child = await startCli({ command: 'start', env: { ...env, HOST: '0.0.0.0' } });
    expect(await child.exited).toMatchObject({ code: 1 });
    expect(child.lines.join('\n')).toMatch(/HOST: must be a loopback address/);
    expect(mark.others(child.pid)).toEqual([]);
  },
  START_MS,
);

test(
  'a worker that is killed is started again, and its job settles',
  async () => {
    const { mark, url, start, submit, read } = await setUp();
    const stack = await start();
    const id = await submit({ body: { model: 'sim-slow-4000', messages: [{ role: 'user' }] } });
    const workerPid = await eventually(async () => {
      const status = (await (await fetch(`${url}/v1/jobs/${id}`)).json()) as { status: string };
      return status.status === 'in_progress' && mark.pidOf('main.ts worker');
    });
    process.kill(workerPid, 'SIGKILL');
    await stack.waitForLine(/worker ended \(SIGKILL\); starting it again in 0\.5 s/);
    await stack.waitForLine(/worker runs again/);
    expect(await read(id)).toMatchObject({ status: 'completed' });
    await interrupt(stack);
  },
  START_MS,
);
