/** What a process wrote, if it is one of our log lines. */
export interface LogLine {
  level: string;
  service: string;
  pid: number;
  msg: string;
  [field: string]: unknown;
}

export function parseLog(lines: readonly string[]): LogLine[] {
  return lines.map(parse).filter(isLogLine);
}

function isLogLine(value: unknown): value is LogLine {
  const { msg, level } = (value ?? {}) as Partial<LogLine>;
  return typeof msg === 'string' && typeof level === 'string';
}

function parse(text: string): unknown {
  if (!text.startsWith('{')) return null;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}

const MINUTE_MS = 60_000;

/** The most of these instants that lie within one minute between `fromMs` and `toMs`. */
export function busiestMinute(instants: readonly number[], fromMs: number, toMs: number): number {
  const inside = instants.filter((at) => at >= fromMs && at <= toMs).toSorted((a, b) => a - b);
  let most = 0;
  let first = 0;
  for (const [index, at] of inside.entries()) {
    while (at - (inside[first] ?? at) >= MINUTE_MS) first += 1;
    most = Math.max(most, index - first + 1);
  }
  return most;
}

/** The sum of a metric's samples that carry these labels, in Prometheus' text; null when there is none. */
export function readMetric(
  text: string,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number | null {
  const values = text.split('\n').flatMap((line) => {
    const [, found, own = '', value] = /^([a-z_]+)(?:\{(.*)\})? ([^ ]+)/.exec(line) ?? [];
    const matches = Object.entries(labels).every(([label, is]) =>
      `,${own},`.includes(`,${label}="${is}",`),
    );
    return found === name && matches ? [Number(value)] : [];
  });
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0);
}

/** The log line of a state: its event, followed by a space and its `reason` if it has one. */
export interface LogStory {
  begins: RegExp;
  ends: RegExp;
}

/**
 * Faults in the log lines of a state. Expects one warn line when it begins and one line when it ends, at most once in each
 * process for each time that the state was there, and no line for each attempt.
 */
export function faultsOfLog(
  lines: readonly LogLine[],
  { begins, ends }: LogStory,
  times = 1,
): string[] {
  const faults: string[] = [];
  const telling = (event: RegExp): LogLine[] =>
    lines.filter((line) => line.level !== 'debug' && event.test(eventOf(line)));
  const [begun, ended] = [telling(begins), telling(ends)];
  if (begun.length === 0) faults.push(`no line says that it began: ${begins}`);
  if (ended.length === 0) faults.push(`no line says that it ended: ${ends}`);
  if (begun.some(({ level }) => level !== 'warn'))
    faults.push(`it begins with another level than warn`);
  for (const [what, told] of [
    ['began', begun],
    ['ended', ended],
  ] as const) {
    const most = Math.max(
      0,
      ...Object.values(Object.groupBy(told, ({ pid }) => pid)).map((of) => of?.length ?? 0),
    );
    if (most > times) faults.push(`one process said ${most} times that it ${what}`);
  }
  return [...faults, ...attemptsTold(lines)];
}

const eventOf = ({ msg, reason }: LogLine): string =>
  typeof reason === 'string' ? `${msg} ${reason}` : msg;

/** A line for each attempt would bury the one that names the cause. */
export function attemptsTold(lines: readonly LogLine[]): string[] {
  const told = lines.filter(({ msg, level }) => level !== 'debug' && msg.startsWith('attempt.'));
  // A late result is logged as a warning, and is rare.
  const most = told.filter(({ msg }) => msg !== 'attempt.result_refused');
  return most.length === 0 ? [] : [`${most.length} lines tell single attempts: ${most[0]?.msg}`];
}
