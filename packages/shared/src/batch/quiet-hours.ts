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

/** How long the stretch is, in minutes of a day without a change of the clocks. */
export function quietMinutes({ start, end }: Pick<QuietHours, 'start' | 'end'>): number {
  return (minuteOf(end) - minuteOf(start) + DAY_MINUTES) % DAY_MINUTES;
}

function minuteOf(time: string): number {
  const [hours = 0, minutes = 0] = time.split(':').map(Number);
  return hours * 60 + minutes;
}
