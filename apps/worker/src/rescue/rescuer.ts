import { spawn } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Priority } from '@nightshift/shared/job';

/** A small process of its own that outlives this one, and hands its jobs back when it dies. */
export interface Rescuer {
  /** This process reads that queue under that id. */
  watch(laneId: string, priority: Priority, bullWorkerId: string): void;
  /** A clean end: there is nothing to hand back. */
  dismiss(): void;
}

/**
 * It waits in a shell, which costs a megabyte, until the pipe from this process closes. Only the death of this
 * process closes it without the word `bye`: then the rescue starts, with what was said so far as its input. So a
 * killed worker's jobs run again in a second, and locks may still be long enough to outlive a Redis outage.
 */
const WAIT_THEN_RESCUE =
  'said=$(cat); case "$said" in *bye) exit 0 ;; esac; printf "%s" "$said" | "$@"';

export function startRescuer(): Rescuer {
  const program = fileURLToPath(new URL(`./rescue${extname(import.meta.url)}`, import.meta.url));
  const child = spawn(
    '/bin/sh',
    ['-c', WAIT_THEN_RESCUE, 'nightshift-rescuer', process.execPath, ...process.execArgv, program],
    {
      // A session of its own: neither Ctrl-C nor a signal to the worker's group reaches it.
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    },
  );
  child.on('error', () => {
    // Without a shell (a bare container) jobs of a killed worker come back when their locks run out.
  });
  child.stdin.on('error', () => undefined);
  child.unref();
  (child.stdin as unknown as { unref?: () => void }).unref?.();
  return {
    watch: (laneId, priority, bullWorkerId) => {
      child.stdin.write(`${laneId} ${priority} ${bullWorkerId}\n`);
    },
    dismiss: () => {
      child.stdin.end('bye');
    },
  };
}
