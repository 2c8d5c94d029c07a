/** The longest that a call waits for a job, in seconds. */
const LONGEST_WAIT_S = 60;

/**
 * The `wait` preference of a Prefer header (RFC 7240), in whole seconds from 1 to 60; null when there is none that
 * can be honoured. A preference is a wish: what is not understood is passed over, and never an error.
 */
export function preferredWait(header: string | undefined): number | null {
  if (header === undefined) return null;
  for (const preference of header.split(',')) {
    const [token = ''] = preference.split(';');
    const [, name, value] = /^\s*([^\s=]+)(?:\s*=\s*"?([^"]*?)"?)?\s*$/.exec(token) ?? [];
    if (name?.toLowerCase() !== 'wait') continue;
    // The first one counts, whatever it says.
    if (value === undefined || !/^\d{1,9}$/.test(value.trim())) return null;
    const seconds = Math.min(Number(value), LONGEST_WAIT_S);
    return seconds === 0 ? null : seconds;
  }
  return null;
}
