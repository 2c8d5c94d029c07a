import type { System } from '../system.ts';

/** A way to install Redis on this machine, or why there is none. */
export type Installer =
  | { kind: 'available'; command: string; install(): Promise<string | null> }
  | { kind: 'unavailable'; why: string };

const INSTALL_TIMEOUT_MS = 600_000;

/**
 * $1 is Debian's switch for "may this package start its service now": exit code 101 says no. Nobody
 * asked for a Redis on port 6379 that starts with the machine; only the program is wanted.
 */
const APT_SCRIPT = `
export DEBIAN_FRONTEND=noninteractive
policy=$1
if [ -e "$policy" ]; then
  ours=no
else
  ours=yes
  trap 'rm -f "$policy"' EXIT
  trap 'exit 130' INT TERM
  printf '#!/bin/sh\\nexit 101\\n' > "$policy" && chmod 755 "$policy"
fi
install() {
  apt-get -o DPkg::Lock::Timeout=120 install -y --no-install-recommends redis-server
}
install || { apt-get -o DPkg::Lock::Timeout=120 update && install; } || exit 1
if [ "$ours" = no ] && command -v service >/dev/null; then
  service redis-server stop >/dev/null 2>&1
fi
if command -v update-rc.d >/dev/null; then
  update-rc.d redis-server disable >/dev/null 2>&1
fi
exit 0
`;

/** Looks for `apt-get` (as root or with password-less sudo) or `brew`. Installs nothing yet. */
export async function findInstaller(
  system: System,
  policyFile = '/usr/sbin/policy-rc.d',
): Promise<Installer> {
  if (system.which('apt-get') !== null) {
    if (!system.isRoot) {
      const allowed =
        system.which('sudo') !== null &&
        (await system.run('sudo', ['-n', 'true'], { timeoutMs: 10_000 })).code === 0;
      if (!allowed) {
        return { kind: 'unavailable', why: 'apt-get: needs root or sudo without a password' };
      }
    }
    const script = ['-c', APT_SCRIPT, 'install-redis', policyFile];
    return {
      kind: 'available',
      command: `${system.isRoot ? '' : 'sudo '}apt-get install redis-server`,
      install: async () =>
        system.isRoot
          ? await runInstaller(system, 'sh', script)
          : await runInstaller(system, 'sudo', ['-n', 'sh', ...script]),
    };
  }
  const brew = system.which('brew');
  if (brew !== null) {
    return {
      kind: 'available',
      command: 'brew install redis',
      install: async () => await runInstaller(system, brew, ['install', 'redis']),
    };
  }
  return { kind: 'unavailable', why: 'package manager: neither apt-get nor brew is here' };
}

/** Null when it worked, else the last lines of what went wrong. */
async function runInstaller(
  system: System,
  command: string,
  args: string[],
): Promise<string | null> {
  const result = await system.run(command, args, {
    timeoutMs: INSTALL_TIMEOUT_MS,
    env: { HOMEBREW_NO_AUTO_UPDATE: '1', HOMEBREW_NO_ENV_HINTS: '1', NONINTERACTIVE: '1' },
  });
  if (result.code === 0) return null;
  return `${result.stdout}\n${result.stderr}`.trim().split('\n').slice(-5).join('\n    ');
}
