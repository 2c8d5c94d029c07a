import { spawn, type ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';

export interface Watchdog {
  /** Ends the watch; the watched process is left alone. Can be called twice. */
  release(): void;
}

/**
 * `read` returns when the pipe to us closes, which the kernel does however we end, kill -9 included.
 * CONT follows TERM because a frozen process acts on no signal. $2 is a folder to remove, or empty.
 */
const SCRIPT = `
read -r _
kill -TERM "$1" 2>/dev/null
kill -CONT "$1" 2>/dev/null
n=0
while kill -0 "$1" 2>/dev/null; do
  n=$((n + 1))
  [ "$n" -ge 30 ] && kill -KILL "$1" 2>/dev/null
  sleep 1
done
[ -z "$2" ] || rm -rf "$2"
`;

/**
 * Ends a process when this one is gone. Children are started in a process group of their own, so
 * that Ctrl-C reaches only the program that decides on the order of stopping; without a watch they
 * would outlive a parent that was killed. SIGTERM first, SIGKILL after 30 s.
 */
export function watch(pid: number, removeAfter = ''): Watchdog {
  const dog: ChildProcess = spawn('/bin/sh', ['-c', SCRIPT, 'watchdog', String(pid), removeAfter], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  // A machine that cannot start a shell loses the guard, not the stack.
  dog.on('error', () => {});
  dog.stdin?.on('error', () => {});
  dog.unref();
  (dog.stdin as Socket | null)?.unref();
  return {
    release() {
      dog.kill('SIGKILL');
    },
  };
}
