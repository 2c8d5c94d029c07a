import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Resident memory of a process in bytes: from /proc where there is one, else from `ps`. */
export function residentBytes(pid: number, platform: NodeJS.Platform = process.platform): number {
  if (platform === 'linux') {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
  }
  return Number(execFileSync('ps', ['-o', 'rss=', '-p', `${pid}`], { encoding: 'utf8' })) * 1024;
}

export interface Sampling {
  /** In order. */
  readonly values: readonly number[];
  stop(): Promise<void>;
}

/** Reads a figure now and then again and again, until it is stopped. A failed reading is left out. */
export function sample(read: () => number | Promise<number>, everyMs: number): Sampling {
  const values: number[] = [];
  const stopping = new AbortController();
  const loop = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      try {
        values.push(await read());
      } catch {
        // The next one may succeed.
      }
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
  };
  const running = loop();
  return {
    values,
    stop: async () => {
      stopping.abort();
      await running;
    },
  };
}
