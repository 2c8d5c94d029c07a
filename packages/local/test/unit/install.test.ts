import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findInstaller } from '../../src/redis/install.ts';
import { thisSystem } from '../../src/system.ts';

let folder: string;
let policy: string;

/** A PATH with nothing on it but what the script needs and the fakes: the real machine stays as it is. */
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'nightshift-apt-'));
  policy = join(folder, 'policy-rc.d');
  for (const tool of ['sh', 'rm', 'chmod', 'cat', 'touch']) {
    const path = execFileSync('/bin/sh', ['-c', `command -v ${tool}`], { encoding: 'utf8' });
    symlinkSync(path.trim(), join(folder, tool));
  }
});
afterEach(() => rmSync(folder, { recursive: true }));

function fake(name: string, script: string): void {
  writeFileSync(join(folder, name), `#!/bin/sh\necho "${name} $*" >> "$LOG"\n${script}\n`, {
    mode: 0o755,
  });
}

async function install(options: { isRoot?: boolean } = {}) {
  const log = join(folder, 'log');
  const system = thisSystem({ PATH: folder, LOG: log, POLICY: policy, FOLDER: folder });
  const installer = await findInstaller({ ...system, isRoot: options.isRoot ?? true }, policy);
  if (installer.kind === 'unavailable') throw new Error(installer.why);
  const failure = await installer.install();
  return { failure, command: installer.command, calls: readFileSync(log, 'utf8') };
}

test('installs without a question and keeps the service from starting', async () => {
  fake('apt-get', 'echo "$DEBIAN_FRONTEND" >> "$LOG"; cat "$POLICY" >> "$LOG"');
  const { failure, calls } = await install();
  expect(failure).toBeNull();
  expect(calls).toContain('install -y --no-install-recommends redis-server\nnoninteractive\n');
  expect(calls).toContain('exit 101');
  expect(calls).not.toContain('update');
  expect(existsSync(policy)).toBe(false);
});

test('updates the lists and tries again when the package is not known', async () => {
  fake(
    'apt-get',
    `case "$*" in
      *update*) touch "$FOLDER/updated" ;;
      *) [ -e "$FOLDER/updated" ] || { echo "E: Unable to locate package" >&2; exit 100; } ;;
    esac`,
  );
  const { failure, calls } = await install();
  expect(failure).toBeNull();
  expect(calls.match(/install -y|update/g)).toEqual(['install -y', 'update', 'install -y']);
});

test('a failure hands back the last lines and leaves no policy behind', async () => {
  fake('apt-get', 'echo "E: Could not resolve the host" >&2; exit 100');
  const { failure } = await install();
  expect(failure).toContain('E: Could not resolve the host');
  expect(existsSync(policy)).toBe(false);
});

test('a policy that is there stays, and the service is stopped if that let it start', async () => {
  writeFileSync(policy, 'theirs');
  fake('apt-get', '');
  fake('service', '');
  fake('update-rc.d', '');
  const { failure, calls } = await install();
  expect(failure).toBeNull();
  expect(readFileSync(policy, 'utf8')).toBe('theirs');
  expect(calls).toContain('service redis-server stop');
  expect(calls).toContain('update-rc.d redis-server disable');
});

test('goes through sudo when it is not root', async () => {
  fake('sudo', '[ "$1" = -n ] && shift && [ "$1" != true ] && exec "$@"; exit 0');
  fake('apt-get', '');
  const { failure, command, calls } = await install({ isRoot: false });
  expect(failure).toBeNull();
  expect(command).toBe('sudo apt-get install redis-server');
  expect(calls).toMatch(/sudo -n true\nsudo -n sh -c [^]*\napt-get .*install/);
});

test('takes brew where there is no apt-get', async () => {
  fake('brew', '');
  const { command, calls } = await install();
  expect(command).toBe('brew install redis');
  expect(calls).toBe('brew install redis\n');
});
