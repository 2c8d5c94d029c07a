import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** CPU time that a process has used since it began, user and system, all its threads, in milliseconds. */
export type CpuReader = (pid: number) => number;

/**
 * From /proc where there is one (to a clock tick, mostly 10 ms), else from `ps` (to 10 ms on macOS). Resolution is
 * why CPU is only given over thousands of jobs.
 */
export function createCpuReader(platform: NodeJS.Platform = process.platform): CpuReader {
  if (platform !== 'linux') return (pid) => parsePsTime(run('ps', '-o', 'time=', '-p', `${pid}`));
  const ticksPerSecond = Number(run('getconf', 'CLK_TCK'));
  return (pid) => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the program's name in parentheses, and may hold spaces and parentheses itself.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return ((Number(fields[11]) + Number(fields[12])) * 1000) / ticksPerSecond;
  };
}

/** `[[DD-]HH:]MM:SS[.ss]` as milliseconds. */
function parsePsTime(text: string): number {
  const [clock = '', days = '0'] = text.trim().split('-').toReversed();
  const seconds = clock.split(':').reduce((total, part) => total * 60 + Number(part), 0);
  return (Number(days) * 86_400 + seconds) * 1000;
}

function run(command: string, ...args: string[]): string {
  return execFileSync(command, args, { encoding: 'utf8' }).trim();
}

export type ProcessName = 'api' | 'worker' | 'redis' | 'provider' | 'bench';

/** Process ids by role; a Redis in a container or elsewhere has none that we could read. */
export type ProcessIds = Readonly<Partial<Record<ProcessName, number>>>;

/** Starts counting; the returned function says what each process has used since, in milliseconds. */
export function countCpu(pids: ProcessIds, read: CpuReader): () => Map<ProcessName, number> {
  const names = Object.keys(pids) as ProcessName[];
  const before = names.map((name) => read(pids[name] as number));
  return () =>
    new Map(
      names.map((name, at) => [name, read(pids[name] as number) - (before[at] as number)] as const),
    );
}
