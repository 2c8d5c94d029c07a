import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { startCli } from '../support/cli.ts';
import { createMark } from '../support/processes.ts';

const DEMO_MS = 240_000;

/** The folder that the demo leaves, removed with the test. */
function folderOf(text: string): string {
  const folder = /^ +files +(\S*nightshift-demo-\S+)$/m.exec(text)?.[1] ?? '';
  expect(folder).not.toBe('');
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const linesOf = (path: string): { custom_id: string }[] =>
  readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { custom_id: string });

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
    expect(text).toMatch(/triage +300 × .*\(gpt-4\.1-nano\)/);
    expect(text).toMatch(/uploaded +requests\.jsonl, \d+ kB, with the official openai SDK/);
    expect(text).toMatch(/checked +480 good lines, about [\d.]+k tokens, at most \$0\.\d+/);
    expect(text).toMatch(/accepted +batch_[0-9a-f]{32}/);
    expect(text).toMatch(/\d+ s · \d+ of 480, \d+ %.* tokens · \$0\.\d+.* to go/);
    expect(text).toMatch(/\* 4 urgent jobs overtook the waiting lines: answered in [\d.]+ to/);
    expect(text).toMatch(/\* 1 job was called off/);
    expect(text).toMatch(/\* worker-1 \(process \d+\) was killed with kill -9/);
    expect(text).toMatch(/(calls? (was|were) made again by the others|it held no call)/);
    expect(text).toMatch(/lines +480 submitted: 474 answered, 6 failed/);
    expect(text).toMatch(/limits +read from the provider's headers: /);
    expect(text).toMatch(/attempts +\d+ calls at the provider: 485 first and \d+ repeated/);
    expect(text).toMatch(/refused +[1-9]\d* calls? with 429 \([\d.]+ %\)/);
    expect(text).toMatch(/tokens +[\d,]+ in, [\d,]+ out/);
    expect(text).toMatch(/cost +\$0\.0\d+$/m);
    expect(text).toMatch(/triage-0001 .*\n +-> \{"category":"delivery"/);
    expect(text).toMatch(/3 × +404 model_not_found: a model that is not served any more/);
    expect(text).toMatch(/2 × +400 decimal_above_max_value: /);
    expect(text).toMatch(/1 × +429 rate_limit_exceeded: [^"]*"Request too large for gpt-4\.1 /);
    expect(text).toMatch(/All as it should be: each line has exactly one result/);
    expect(text).not.toContain('stays up');

    const sent = linesOf(`${folder}/requests.jsonl`).map(({ custom_id: id }) => id);
    const output = linesOf(`${folder}/output.jsonl`).map(({ custom_id: id }) => id);
    const failed = linesOf(`${folder}/errors.jsonl`).map(({ custom_id: id }) => id);
    expect([...output, ...failed].toSorted()).toEqual(sent.toSorted());
    expect(failed).toHaveLength(6);
    expect(readFileSync(`${folder}/logs/worker-3.log`, 'utf8')).toContain('worker.ready');
    const left = readdirSync(folder, { recursive: true, encoding: 'utf8' });
    expect(left.filter((name) => name.includes('.tmp'))).toEqual([]);
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
    const folder = folderOf(demo.lines.join('\n'));
    const url = /http\S+/.exec(line)?.[0] ?? '';
    expect((await fetch(url)).status).toBeLessThan(500);
    expect((await fetch(`${url}readyz`)).status).toBe(200);
    demo.signal('SIGINT');
    expect(await demo.exited).toEqual({ code: 130, signal: null });
    expect(mark.others(demo.pid)).toEqual([]);
    expect(existsSync(`${folder}/output.jsonl`)).toBe(true);
  },
  DEMO_MS,
);

test.each([
  ['while the file is handed in', /The work: /],
  ['right after the kill of a worker', /worker-1 .* was killed with kill -9/],
])(
  'Ctrl-C %s ends with 130 and leaves no process and no file',
  async (_, line) => {
    const mark = createMark();
    const demo = await startCli({ command: 'demo', args: ['--once'], env: mark.env });
    await demo.waitForLine(line, DEMO_MS);
    const folder = folderOf(demo.lines.join('\n'));
    demo.signal('SIGINT');
    expect(await demo.exited).toEqual({ code: 130, signal: null });
    expect(mark.others(demo.pid)).toEqual([]);
    expect(existsSync(folder)).toBe(false);
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
    expect(text).toMatch(/checked +6 good lines, .*at most \$0\.000\d+ will be spent/);
    expect(text).toMatch(/nightshift demo: the provider refuses gpt-4o-mini: /);
    expect(text).not.toContain('a-wrong-one');
    expect(mark.others(demo.pid)).toEqual([]);
  },
  DEMO_MS,
);
