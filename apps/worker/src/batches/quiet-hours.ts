import type { QuietHours } from '@nightshift/shared/batch';

/** Whether a batch may run now: between `start` and `end` by the clock of its time zone, over midnight if need be. */
export function mayRun({ start, end, timeZone }: QuietHours, nowMs: number): boolean {
  const clock = new Intl.DateTimeFormat('en-GB', {
    timeZone,
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  }).format(nowMs);
  if (start === end) return true;
  return start < end ? clock >= start && clock < end : clock >= start || clock < end;
}
