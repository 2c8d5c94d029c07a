import { readFileSync, rmSync } from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { startCli } from '../support/cli.ts';
import { createMark } from '../support/processes.ts';

const DEMO_MS = 120_000;

/** The folder that the demo leaves, removed with the test. */
function folderOf(text: string): string {
  const folder = /^ +files +(\S*nightshift-demo-\S+)$/m.exec(text)?.[1] ?? '';
  expect(folder).not.toBe('');
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

test(
  'demo --once shows the promised parts, ends with 0 and leaves no process',
  async () => {
    const mark = createMark();
    const demo = await startCli({ command: 'demo', args: ['--once'], env: mark.env });
    const { code } = await demo.exited;
    const text = demo.lines.join('\n');
    const folder = folderOf(text);
    expect({ code, text }).toMatchObject({ code: 0 });

    expect(text).toMatch(/provider +simulated/);
    expect(text).toMatch(/api +http:\/\/127\.0\.0\.1:\d+/);
    expect(text).toMatch(/\d+\/120 settled, .*\d+ in progress, \d+ queued/);
    expect(text).toMatch(/worker-1 \(process \d+\) was killed with kill -9/);
    expect(text).toMatch(/(jobs? (was|were) taken over in [\d.]+ s|it held no job)/);
    expect(text).toMatch(/submitted +120 jobs in/);
    expect(text).toMatch(/settled +117 completed, 2 failed, 1 expired/);
    expect(text).toMatch(/attempts +\d+ calls at the provider: 120 first and \d+ repeated/);
    expect(text).toMatch(/refused +[1-9]\d* calls? with 429/);
    expect(text).toMatch(/tokens +[\d,]+ in, [\d,]+ out/);
    expect(text).toMatch(/cost +\$0\.00\d+; unknown for 7 jobs: 6 omni-moderation-latest/);
    expect(text).toMatch(/classify +My parcel #4000 /);
    expect(text).toMatch(/sim-400.*\n +failed after 1 attempt, provider_rejected: /);
    expect(text).toMatch(/sim-500.*\n +failed after \d attempts, provider_error: /);
    expect(text).toMatch(/sim-hang.*\n +expired after \d attempts?, job_expired: /);
    expect(text).toMatch(/sim-fail-2.*\n +completed after [3-5] attempts/);
    expect(text).toMatch(/All as it should be: every job was settled exactly once/);
    expect(text).not.toContain('stays up');

    const results = readFileSync(`${folder}/results.jsonl`, 'utf8').trim().split('\n');
    expect(results).toHaveLength(120);
    expect(readFileSync(`${folder}/logs/worker-3.log`, 'utf8')).toContain('worker.ready');
    expect(mark.others(demo.pid)).toEqual([]);
  },
  DEMO_MS,
);

test(
  'without --once it stays up until Ctrl-C and says where the dashboard is',
  async () => {
    const mark = createMark();
    const demo = await startCli({ command: 'demo', env: mark.env });
    const line = await demo.waitForLine(/dashboard +http/, DEMO_MS);
    folderOf(demo.lines.join('\n'));
    const url = /http\S+/.exec(line)?.[0] ?? '';
    expect((await fetch(url)).status).toBeLessThan(500);
    expect((await fetch(`${url}readyz`)).status).toBe(200);
    demo.signal('SIGINT');
    expect(await demo.exited).toEqual({ code: 130, signal: null });
    expect(mark.others(demo.pid)).toEqual([]);
  },
  DEMO_MS,
);

test(
  'Ctrl-C right after the kill ends with 130 and leaves no process',
  async () => {
    const mark = createMark();
    const demo = await startCli({ command: 'demo', args: ['--once'], env: mark.env });
    await demo.waitForLine(/was killed with kill -9/, DEMO_MS);
    folderOf(demo.lines.join('\n'));
    demo.signal('SIGINT');
    expect(await demo.exited).toEqual({ code: 130, signal: null });
    expect(mark.others(demo.pid)).toEqual([]);
  },
  DEMO_MS,
);

test(
  'a provider that refuses the key ends the demo with what it says',
  async () => {
    const simulator = await startCli({
      command: 'simulator',
      args: ['--port', '0', '--api-keys', 'the-right-one'],
      readyWhen: /listening on/,
    });
    const url = /http\S+/.exec(await simulator.waitForLine(/listening on/))?.[0] ?? '';
    const mark = createMark();
    const env = { ...mark.env, OPENAI_API_KEY: 'a-wrong-one', OPENAI_BASE_URL: url };
    const demo = await startCli({ command: 'demo', env });
    const { code } = await demo.exited;
    const text = demo.lines.join('\n');
    folderOf(text);
    expect({ code, text }).toMatchObject({ code: 1 });
    expect(text).toMatch(/cost +about \$0\.000\d+ will be spent/);
    expect(text).toMatch(/nightshift demo: the provider refuses gpt-4o-mini: /);
    expect(text).not.toContain('a-wrong-one');
    expect(mark.others(demo.pid)).toEqual([]);
  },
  DEMO_MS,
);
