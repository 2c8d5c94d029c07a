import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import type { Child } from '../../src/child.ts';
import { startProcess, type StartProcessOptions } from '../../src/process.ts';
import { startStack } from '../../src/stack.ts';

const bin = fileURLToPath(new URL('../fixtures/fake-nightshift.mjs', import.meta.url));

async function start(options: StartProcessOptions): Promise<Child> {
  const child = await startProcess({ ...options, bin });
  onTestFinished(async () => void (await child.kill9()));
  return child;
}

test('is ready at its line, keeps its lines, and stops on SIGTERM, twice', async () => {
  const worker = await start({ command: 'worker', args: ['-x'], readyWhen: /worker\.ready/ });
  expect(worker.lines[0]).toContain('"args":["-x"]');
  expect(await worker.waitForLine(/"started"/)).toBe(worker.lines[0]);
  expect(worker.exit).toBeNull();
  expect(await worker.stop()).toEqual({ code: 0, signal: null });
  expect(await worker.stop()).toEqual({ code: 0, signal: null });
  expect(worker.lines.at(-1)).toBe('stopped');
});

test('kill9 ends it at once, twice, and stop() afterwards is fine', async () => {
  const worker = await start({ command: 'worker', readyWhen: /worker\.ready/ });
  expect(await worker.kill9()).toEqual({ code: null, signal: 'SIGKILL' });
  expect(await worker.kill9()).toEqual({ code: null, signal: 'SIGKILL' });
  expect(await worker.stop()).toEqual({ code: null, signal: 'SIGKILL' });
});

test('a process that ends before it is ready fails the start with its last lines', async () => {
  await expect(start({ command: 'broken', readyWhen: /worker\.ready/ })).rejects.toThrow(
    /nightshift broken ended \(code 3\)[^]*NO_SUCH_SETTING must be set/,
  );
  await expect(
    start({ command: 'broken', readyWhen: { url: 'http://127.0.0.1:1/readyz' } }),
  ).rejects.toThrow(/ended \(code 3\) before it was ready[^]*NO_SUCH_SETTING/);
});

test('a process that is not ready in time fails the start and is gone', async () => {
  let pid = 0;
  const starting = start({
    command: 'worker',
    readyWhen: async (child) => {
      pid = child.pid;
      return false;
    },
    readyTimeoutMs: 50,
  });
  await expect(starting).rejects.toThrow('not ready after 50 ms');
  expect(() => process.kill(pid, 0)).toThrow('ESRCH');
});

test('a process that ignores SIGTERM is killed, and stop() says so', async () => {
  const stubborn = await start({ command: 'stubborn', readyWhen: /stubborn is ready/ });
  await expect(stubborn.stop(50)).rejects.toThrow('did not end within 50 ms of SIGTERM');
  expect(await stubborn.exited).toEqual({ code: null, signal: 'SIGKILL' });
});

test('waiting for a line ends when the process does', async () => {
  const worker = await start({ command: 'worker', readyWhen: /worker\.ready/ });
  const waiting = worker.waitForLine(/never printed/);
  await worker.kill9();
  await expect(waiting).rejects.toThrow('nightshift worker ended (SIGKILL) before /never printed/');
  await expect(worker.waitForLine(/never printed/)).rejects.toThrow('ended (SIGKILL)');
});

test('a program that cannot be executed is named', async () => {
  await expect(startProcess({ command: 'api', bin: '/no/such/program' })).rejects.toThrow(
    'nightshift api: /no/such/program cannot be started: spawn /no/such/program ENOENT',
  );
});

test('a stack is simulator, API and workers that know of each other', async () => {
  const stack = await startStack({ redisUrl: 'redis://127.0.0.1:1', workers: 2, bin });
  onTestFinished(async () => await stack.stop());
  expect(await (await fetch(`${stack.apiUrl}/readyz`)).text()).toBe('api');
  expect(await (await fetch(`${stack.simulatorUrl}/models`)).text()).toBe('simulator');
  expect(stack.workers).toHaveLength(2);
  expect(stack.workers[0]?.lines[0]).toContain(`"base":"${stack.simulatorUrl}"`);

  const first = stack.api.pid;
  await stack.api.kill9();
  const again = await stack.restartApi();
  expect(again.pid).not.toBe(first);
  expect((await fetch(`${stack.apiUrl}/readyz`)).status).toBe(200);
  await stack.startWorker();

  await stack.stop();
  await stack.stop();
  const ends = [...stack.workers, stack.api, stack.simulator].map((child) => child?.exit?.code);
  expect(ends).toEqual([0, 0, 0, 0, 0]);
});
