const LOUD = new Set(['warn', 'error', 'fatal']);
/** Fields that every line has or that the text already says. */
const KNOWN = new Set(['level', 'time', 'service', 'pid', 'msg', 'hostname']);

/**
 * A process's log line as the console shows it, or null for one that belongs only into the log file: JSON lines from
 * `warn` up, and whatever is not JSON (a stack trace, a library's word).
 */
export function consoleLine(name: string, line: string): string | null {
  if (line.trim() === '') return null;
  const event = parse(line);
  if (event === null) return `${name}: ${line}`;
  if (!LOUD.has(String(event['level']))) return null;
  const fields = Object.entries(event)
    .filter(([key]) => !KNOWN.has(key))
    .map(([key, value]) => `${key}=${inWords(value)}`);
  const message = typeof event['msg'] === 'string' ? event['msg'] : '';
  return [`${name}: ${String(event['level'])}`, message, ...fields].join(' ');
}

/** Of an error its message: the stack is in the log file. */
function inWords(value: unknown): string {
  if (typeof value === 'string') return value;
  const { message } = (value ?? {}) as { message?: unknown };
  return typeof message === 'string' ? message : JSON.stringify(value);
}

function parse(line: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
