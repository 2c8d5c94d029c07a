import type { QuietHours } from './batch.ts';

const DAY_MINUTES = 24 * 60;

export const timeOfDayPattern = /^([01]\d|2[0-3]):[0-5]\d$/;

/** Whether the runtime's time zone database has it. */
export function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).format(0) !== '';
  } catch {
    return false;
  }
}

/** Whether a batch may run now: between `start` and `end` by the clock of its time zone, over midnight if need be. */
export function mayRun({ start, end, timeZone }: QuietHours, nowMs: number): boolean {
  const clock = timeOfDay(timeZone, nowMs);
  if (start === end) return true;
  return start < end ? clock >= start && clock < end : clock >= start || clock < end;
}

/** When the quiet hours begin next, in unix milliseconds. */
export function quietHoursBegin({ start, timeZone }: QuietHours, nowMs: number): number {
  const minuteMs = 60_000;
  const nowMinuteMs = Math.floor(nowMs / minuteMs) * minuteMs;
  const local = minuteOf(timeOfDay(timeZone, nowMinuteMs));
  const ahead = (minuteOf(start) - local + DAY_MINUTES) % DAY_MINUTES;
  const atMs = nowMinuteMs + (ahead === 0 ? DAY_MINUTES : ahead) * minuteMs;
  // The clocks were changed in between.
  const off = minuteOf(start) - minuteOf(timeOfDay(timeZone, atMs));
  const half = DAY_MINUTES / 2;
  return atMs + (((off + half + DAY_MINUTES) % DAY_MINUTES) - half) * minuteMs;
}

function timeOfDay(timeZone: string, atMs: number): string {
  return new Intl.DateTimeFormat('en-GB', {
    timeZone,
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  }).format(atMs);
}

/** How long the stretch is, in minutes of a day without a change of the clocks. */
export function quietMinutes({ start, end }: Pick<QuietHours, 'start' | 'end'>): number {
  return (minuteOf(end) - minuteOf(start) + DAY_MINUTES) % DAY_MINUTES;
}

function minuteOf(time: string): number {
  const [hours = 0, minutes = 0] = time.split(':').map(Number);
  return hours * 60 + minutes;
}
