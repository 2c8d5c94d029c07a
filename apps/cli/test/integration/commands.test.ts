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
  for (const name of ['run', 'submit', 'watch', 'results', 'cancel', 'retry', 'api', 'start']) {
    expect(text).toMatch(new RegExp(`^  ${name} +\\S`, 'm'));
  }
});

test('a wrong command or flag is named in one line, with code 2', async () => {
  expect(await run('demmo')).toEqual({
    code: 2,
    text: 'nightshift: command must be one of run, submit, watch, results, cancel, retry, api, worker, simulator, demo, start, got "demmo"',
  });
  expect(await run('demo', '--onec')).toEqual({
    code: 2,
    text: 'nightshift demo: --onec is not a flag of this command: it takes --once, --help',
  });
  expect(await run('worker', '--port=1')).toMatchObject({ code: 2 });
});

test('a command tells its own usage', async () => {
  expect(await run('worker', '--help')).toMatchObject({
    code: 0,
    text: expect.stringMatching(/^usage: nightshift worker/),
  });
});
