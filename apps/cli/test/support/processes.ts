import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';

/** A variable that every process inherits which is started, however indirectly, by one that has it. */
export interface Mark {
  readonly env: Record<string, string>;
  /** Command lines of the processes that have it, except for the one with that id. */
  others(pid: number): string[];
  /** The id of the one whose command line has these words; 0 when there is none. */
  pidOf(words: string): number;
}

export function createMark(): Mark {
  const value = randomUUID();
  const marked = () => processes().filter(({ environment }) => environment.includes(value));
  return {
    env: { TEST_MARK: value },
    others: (pid) =>
      marked()
        .filter((found) => found.pid !== pid)
        .map(({ commandLine }) => commandLine),
    pidOf: (words) => marked().find(({ commandLine }) => commandLine.includes(words))?.pid ?? 0,
  };
}

function processes(): { pid: number; environment: string; commandLine: string }[] {
  if (process.platform !== 'linux') {
    const list = execFileSync('ps', ['-axEww', '-o', 'pid=,command='], { encoding: 'utf8' });
    return list.split('\n').map((line) => {
      const commandLine = line.trim();
      return { pid: Number.parseInt(commandLine, 10), environment: commandLine, commandLine };
    });
  }
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const environment = readFileSync(`/proc/${name}/environ`, 'utf8');
        const commandLine = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ');
        return [{ pid: Number(name), environment, commandLine }];
      } catch {
        // It ended in between, or belongs to somebody else.
        return [];
      }
    });
}
