import { expect, test } from 'vitest';
import { checkout } from '../fixtures/checkout.ts';

const PINNED = 'node_modules/node/bin/node';

/** A checkout whose runtime tells its process id and arguments. */
function installed() {
  const here = checkout();
  here.write('apps/cli/src/main.ts', '');
  here.program(PINNED, 'echo "pid $$"; for arg in "$@"; do echo "arg $arg"; done; exit 7');
  here.write('node_modules/.modules.yaml', '');
  return here;
}

test('is replaced by the program: same process id, same arguments, same exit code', async () => {
  const here = installed();
  const { code, pid, stdout } = await here.run(here.at('bin/nightshift'), ['run', 'a b', '']);
  expect(code).toBe(7);
  expect(stdout.split('\n').slice(0, -1)).toEqual([
    `pid ${pid}`,
    'arg --single-threaded-gc',
    'arg --max-semi-space-size=32',
    'arg --conditions=source',
    `arg ${here.at('apps/cli/src/main.ts')}`,
    'arg run',
    'arg a b',
    'arg ',
  ]);
});

test('finds its repository through symlinks, relative ones too', async () => {
  const here = installed();
  here.link('../bin/nightshift', 'fakes/ns');
  here.link(here.at('fakes/ns'), 'night');
  const { stdout } = await here.run(here.at('night'), ['api']);
  expect(stdout).toContain(`arg ${here.at('apps/cli/src/main.ts')}\narg api\n`);
});

test('installs first if nothing is installed, with its output on stderr', async () => {
  const here = installed();
  here.remove('node_modules');
  // Stands in for the system's node: it runs bootstrap.mjs, here by making the runtime.
  here.program(
    'fakes/node',
    `echo "bootstrap: $*"; mkdir -p "$ROOT/node_modules/node/bin"
     printf '#!/bin/sh\\necho "ran $*"\\n' > "$ROOT/${PINNED}"; chmod 755 "$ROOT/${PINNED}"`,
  );
  const { code, stdout, stderr } = await here.run(here.at('bin/nightshift'), ['doctor']);
  expect({ code, stdout }).toEqual({
    code: 0,
    stdout: `ran --single-threaded-gc --max-semi-space-size=32 --conditions=source ${here.at('apps/cli/src/main.ts')} doctor\n`,
  });
  expect(stderr).toBe(`bootstrap: ${here.at('scripts/bootstrap.mjs')}\n`);
});

test('a failed installation ends it', async () => {
  const here = installed();
  here.remove('node_modules');
  here.program('fakes/node', 'echo "no network" >&2; exit 1');
  expect(await here.run(here.at('bin/nightshift'), ['api'])).toMatchObject({
    code: 1,
    stdout: '',
    stderr: 'no network\n',
  });
});

test('a built tree without sources runs on the system node, if that is new enough', async () => {
  const here = checkout();
  here.write('apps/cli/dist/main.js', '');
  here.program('fakes/node', '[ "$1" = --version ] && echo v24.1.0 || echo "system $*"');
  const { code, stdout } = await here.run(here.at('bin/nightshift'), ['worker']);
  expect({ code, stdout }).toEqual({
    code: 0,
    stdout: `system --single-threaded-gc --max-semi-space-size=16 --heap-growing-percent=60 ${here.at('apps/cli/dist/main.js')} worker\n`,
  });
  here.program('fakes/node', 'echo v20.20.2');
  const old = await here.run(here.at('bin/nightshift'), ['worker']);
  expect(old.code).toBe(1);
  expect(old.stderr).toContain('is v20.20.2: install Node.js 24 or newer');
});

test('an incomplete checkout is named', async () => {
  const here = checkout();
  const { code, stderr } = await here.run(here.at('bin/nightshift'), ['worker']);
  expect(code).toBe(1);
  expect(stderr).toContain('is this a complete checkout?');
});
