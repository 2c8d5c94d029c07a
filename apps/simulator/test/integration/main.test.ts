import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, it } from 'vitest';
import { startSimulator } from '../../src/index.ts';
import { runUntilStopped } from '../../src/main.ts';

const index = new URL('../../src/index.ts', import.meta.url);
const program = `
  import { runSimulator } from ${JSON.stringify(index.href)};
  await runSimulator(process.env, process.argv.slice(1));
`;

it.each(['SIGTERM', 'SIGINT'] as const)('says where it listens and stops on %s', async (signal) => {
  const child = spawn(
    process.execPath,
    ['--conditions=source', '--input-type=module', '-e', program, '--', '--port', '0'],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  try {
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    const url = /^simulator listening on (http:\/\/127\.0\.0\.1:\d+\/v1)\n$/.exec(line.toString());
    const hanging = fetch(`${url![1]!}/embeddings`, {
      method: 'POST',
      body: '{"model":"sim-hang","input":"x"}',
    }).catch((error: unknown) => error);
    expect((await fetch(`${url![1]!}/models`)).status).toBe(200);
    child.kill(signal);
    expect(await once(child, 'exit')).toEqual([0, null]);
    expect(await hanging).toBeInstanceOf(Error);
  } finally {
    child.kill('SIGKILL');
  }
});

it('says why it cannot listen', async () => {
  const simulator = await startSimulator();
  const lines: string[] = [];
  const seams = {
    out: () => undefined,
    err: (line: string) => void lines.push(line),
    stopped: Promise.resolve(),
  };
  expect(await runUntilStopped({ PORT: String(simulator.port) }, [], seams)).toBe(1);
  expect(lines).toEqual([
    expect.stringMatching(
      `nightshift simulator: cannot listen on 127.0.0.1:${simulator.port}: .*EADDRINUSE`,
    ),
  ]);
  await simulator.stop();
});
