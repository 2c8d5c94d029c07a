import { once } from 'node:events';
import { existsSync, utimesSync } from 'node:fs';
import { expect, test } from 'vitest';
import { eventually } from '../../src/eventually.ts';
import { checkout } from '../fixtures/checkout.ts';

/** Stands in for pnpm: notes its call and makes the runtime. */
const INSTALL = `echo "npx $*" >> "$LOG"; mkdir -p "$ROOT/node_modules/node/bin" "$ROOT/node_modules/.bin"
cat > "$ROOT/node_modules/node/bin/node" < /dev/null; echo "a lot of output"`;

function fresh(npx = INSTALL) {
  const here = checkout();
  here.program('fakes/npx', npx);
  const bootstrap = [here.at('scripts/bootstrap.mjs')];
  return { ...here, bootstrap: () => here.start(process.execPath, bootstrap) };
}
const calls = (log: string): number => log.split('npx ').length - 1;

test('installs once, quietly, with the pinned pnpm, and again when something changes', async () => {
  const here = fresh();
  const first = await here.bootstrap().ended;
  expect(first).toMatchObject({ code: 0, stdout: '' });
  expect(first.stderr).toMatch(/installing with pnpm@12\.0\.1 .*\n.*installed in [\d.]+ s\n$/);
  expect(here.log()).toMatch(/^npx --yes pnpm@12\.0\.1 install --frozen-lockfile --prefer-offline/);
  expect(await here.bootstrap().ended).toMatchObject({ code: 0, stderr: '' });
  expect(calls(here.log())).toBe(1);

  here.write('packages/one/package.json', '{"dependencies": {}}');
  await here.bootstrap().ended;
  expect(calls(here.log())).toBe(2);
  here.write('pnpm-lock.yaml', 'changed');
  await here.bootstrap().ended;
  expect(calls(here.log())).toBe(3);
  expect(existsSync(here.at('.nightshift-install.tmp'))).toBe(false);
});

test('a failure prints all of the output and one line, and is tried again', async () => {
  const here = fresh('echo "a lot of output"; echo "and errors" >&2; exit 3');
  const { code, stderr } = await here.bootstrap().ended;
  expect(code).toBe(1);
  expect(stderr).toContain('a lot of output\n');
  expect(stderr).toContain('and errors\n');
  expect(stderr.trim().split('\n').at(-1)).toBe(
    'nightshift: the installation failed, it ended with code 3: see the output above',
  );
  here.program('fakes/npx', INSTALL);
  expect(await here.bootstrap().ended).toMatchObject({ code: 0 });
});

test('without npx it says what to install', async () => {
  const here = fresh();
  const node = process.execPath;
  const env = { PATH: here.at('nowhere') };
  const { code, stderr } = await here.run(node, [here.at('scripts/bootstrap.mjs')], env);
  expect(code).toBe(1);
  expect(stderr).toContain('npx is not on the PATH: install npm');
});

test('of two at once one installs and the other waits for it', async () => {
  const here = fresh(`${INSTALL}; while [ ! -e "$ROOT/go" ]; do sleep 0.05; done`);
  const one = here.bootstrap();
  await eventually(() => calls(here.log()) === 1);
  const two = here.bootstrap();
  await eventually(() => two.output.stderr.includes('waiting for another installation'));
  here.write('go', '');
  expect(await one.ended).toMatchObject({ code: 0 });
  expect(await two.ended).toMatchObject({ code: 0 });
  expect(calls(here.log())).toBe(1);
});

test('the lock of an installation that died does not hold up the next', async () => {
  const here = fresh();
  here.write('.nightshift-install.tmp', 'dead');
  utimesSync(here.at('.nightshift-install.tmp'), new Date(0), new Date(0));
  expect(await here.bootstrap().ended).toMatchObject({ code: 0 });
  expect(calls(here.log())).toBe(1);
});

test('an interrupted installation leaves no lock', async () => {
  const here = fresh(`echo "npx $*" >> "$LOG"; exec sleep 60`);
  const run = here.bootstrap();
  await eventually(() => calls(here.log()) === 1);
  run.child.kill('SIGTERM');
  expect(await run.ended).toMatchObject({ code: 143 });
  expect(existsSync(here.at('.nightshift-install.tmp'))).toBe(false);
});

test('a signal just as the installation begins leaves no lock either', async () => {
  const here = fresh('kill -TERM $PPID; exec sleep 60');
  for (let round = 0; round < 5; round += 1) {
    expect(await here.bootstrap().ended).toMatchObject({ code: 143 });
    expect(existsSync(here.at('.nightshift-install.tmp'))).toBe(false);
  }
});

/** Everything is installed, and each program notes how it was called. */
function ready() {
  const here = fresh();
  const start = (...args: string[]) =>
    here.start(process.execPath, [here.at('scripts/run.mjs'), ...args]);
  const note = 'echo "$(basename "$0") $*" >> "$LOG"';
  for (const name of ['vitest', 'oxfmt', 'oxlint', 'tsc', 'knip']) {
    here.program(`node_modules/.bin/${name}`, note);
  }
  here.program('bin/nightshift', note);
  return { ...here, start, note };
}
const notes = (log: string): string[] =>
  log.split('\n').filter((line) => line !== '' && !line.startsWith('npx'));

test('test runs the default projects and passes arguments on', async () => {
  const here = ready();
  expect(await here.start('test', 'packages/local', '-t', 'a b').ended).toMatchObject({ code: 0 });
  await here.start('chaos').ended;
  await here.start('demo', '--once').ended;
  expect(notes(here.log())).toEqual([
    'vitest run --project unit --project integration --project chaos packages/local -t a b',
    'vitest run --project chaos',
    'nightshift demo --once',
  ]);
});

test('check runs all of its parts, and fails if one does', async () => {
  const here = ready();
  here.program('node_modules/.bin/oxlint', `${here.note}; exit 4`);
  const { code, stdout } = await here.start('check').ended;
  expect(code).toBe(4);
  expect(notes(here.log())).toEqual(['oxfmt --check', 'oxlint ', 'tsc -b', 'knip ']);
  expect(stdout).toContain('\n== oxfmt --check\n');
  expect(stdout).toContain('\ncheck: failed: oxlint\n');
});

test('an unknown name is answered with the known ones', async () => {
  const { code, stderr } = await ready().start('tset').ended;
  expect(code).toBe(2);
  expect(stderr).toContain(
    'test|chaos|outages|batches|rounds|nights|python|s3|containers|check|demo|start|bench',
  );
});

test.each(['SIGTERM', 'SIGINT'] as const)(
  '%s is passed on once, and the end is waited for',
  async (signal) => {
    const here = ready();
    const script = `trap 'echo got >> "$LOG"' TERM INT; echo up
      while [ ! -e "$ROOT/end" ]; do sleep 0.05; done; exit 5`;
    here.program('bin/nightshift', script);
    const run = here.start('demo');
    await eventually(() => run.output.stdout.includes('up'));
    run.child.kill(signal);
    run.child.kill(signal);
    await eventually(() => here.log().includes('got'));
    here.write('end', '');
    expect(await run.ended).toMatchObject({ code: 5 });
    expect(notes(here.log())).toEqual(['got']);
  },
);

test('a program that died of a signal ends the script by that signal', async () => {
  const here = ready();
  here.program('bin/nightshift', 'kill -KILL $$');
  const run = here.start('demo');
  await once(run.child, 'close');
  expect(await run.ended).toMatchObject({ code: null, signal: 'SIGKILL' });
});
