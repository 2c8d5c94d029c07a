import { expect, test } from 'vitest';
import { startCli } from '../support/cli.ts';

async function run(command: string, ...args: string[]) {
  const child = await startCli({ command, args });
  const { code } = await child.exited;
  return { code, text: child.lines.join('\n') };
}

test('--help lists the commands', async () => {
  const { code, text } = await run('--help');
  expect(code).toBe(0);
  for (const name of [
    'run',
    'retry',
    'list',
    'lanes',
    'workers',
    'pause',
    'doctor',
    'api',
    'start',
  ]) {
    expect(text).toMatch(new RegExp(`^  ${name} +\\S`, 'm'));
  }
});

test('a wrong command or flag is named in one line, with code 2', async () => {
  expect(await run('demmo')).toEqual({
    code: 2,
    text: 'nightshift: command must be one of run, submit, watch, results, cancel, retry, list, lanes, workers, pause, resume, doctor, api, worker, simulator, demo, start, got "demmo"',
  });
  expect(await run('demo', '--onec')).toEqual({
    code: 2,
    text: 'nightshift demo: --onec is not a flag of this command: it takes --once, --help',
  });
  expect(await run('worker', '--port=1')).toMatchObject({ code: 2 });
});

test('--version prints only the version and the runtime', async () => {
  for (const flag of ['--version', '-v']) {
    expect(await run(flag)).toEqual({
      code: 0,
      text: expect.stringMatching(/^nightshift \d+\.\d+\.\d+ \(Node v\d+\.\d+\.\d+\)$/),
    });
  }
});

test('wrong flags of the operator commands are named, with exit code 2', async () => {
  const wrong: [string[], RegExp][] = [
    [
      ['doctor', '--jsn'],
      /^nightshift doctor: --jsn is not a flag of this command; did you mean --json\?$/,
    ],
    [['doctor', 'redis'], /^nightshift doctor: "redis" is not expected: this takes only flags$/],
    [
      ['list', '--status', 'running'],
      /^nightshift list: --status must be one of validating, .*, got "running"$/,
    ],
    [
      ['list', '--limit', '0'],
      /^nightshift list: --limit must be a whole number from 1 to 100000, got "0"$/,
    ],
    [['lanes', '--url', 'ftp://x'], /^nightshift lanes: --url must be an http or https URL/],
    [['workers', '--watch'], /^nightshift workers: --watch is not a flag of this command/],
    [['pause'], /^nightshift pause: ID is missing$/],
    [['resume', '--json=1', 'x'], /^nightshift resume: --json takes no value, got "1"$/],
    [
      ['retry', 'batch_x', '--alone'],
      /^nightshift retry: --alone is for results: say where they go with -o FILE$/,
    ],
    [
      ['watch', 'batch_x', '--merged'],
      /^nightshift watch: --merged is for results: say where they go with -o FILE$/,
    ],
    [
      ['results', 'batch_x', '--merged', '--order', 'completion'],
      /^nightshift results: --merged is for the order of the input/,
    ],
  ];
  for (const [[command = '', ...args], message] of wrong) {
    expect(await run(command, ...args)).toEqual({ code: 2, text: expect.stringMatching(message) });
  }
}, 60_000);

test('a command tells its own usage', async () => {
  expect(await run('worker', '--help')).toMatchObject({
    code: 0,
    text: expect.stringMatching(/^usage: nightshift worker/),
  });
});
