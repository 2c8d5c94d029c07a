import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { mayRun, quietHoursBegin } from '../../src/batch/index.ts';

const at = (iso: string): number => Date.parse(iso);

it('runs from start to end in its time zone', () => {
  const office = { start: '09:00', end: '17:30', timeZone: 'UTC' };
  expect(mayRun(office, at('2026-01-10T08:59:59Z'))).toBe(false);
  expect(mayRun(office, at('2026-01-10T09:00:00Z'))).toBe(true);
  expect(mayRun(office, at('2026-01-10T17:29:59Z'))).toBe(true);
  expect(mayRun(office, at('2026-01-10T17:30:00Z'))).toBe(false);
});

it('runs over midnight, and follows daylight saving time', () => {
  const night = { start: '22:00', end: '06:00', timeZone: 'Europe/Berlin' };
  expect(mayRun(night, at('2026-01-10T20:59:00Z'))).toBe(false);
  expect(mayRun(night, at('2026-01-10T21:00:00Z'))).toBe(true);
  expect(mayRun(night, at('2026-01-11T04:59:00Z'))).toBe(true);
  expect(mayRun(night, at('2026-01-11T05:00:00Z'))).toBe(false);
  // In summer the same hours are an hour earlier.
  expect(mayRun(night, at('2026-07-10T20:00:00Z'))).toBe(true);
  expect(mayRun(night, at('2026-07-11T04:00:00Z'))).toBe(false);
});

it('runs all day when start and end are the same', () => {
  expect(mayRun({ start: '06:00', end: '06:00', timeZone: 'UTC' }, 0)).toBe(true);
});

it('knows when the hours begin next, even across a clock change', () => {
  const night = { start: '22:00', end: '06:00', timeZone: 'Europe/Berlin' };
  const next = (iso: string): string => new Date(quietHoursBegin(night, at(iso))).toISOString();
  expect(next('2026-01-10T12:34:56Z')).toBe('2026-01-10T21:00:00.000Z');
  expect(next('2026-01-10T22:30:00Z')).toBe('2026-01-11T21:00:00.000Z');
  expect(next('2026-07-10T12:00:00Z')).toBe('2026-07-10T20:00:00.000Z');
  // The clocks go forward on March 29 at 01:00 UTC, and back on October 25.
  expect(next('2026-03-28T23:00:00Z')).toBe('2026-03-29T20:00:00.000Z');
  expect(next('2026-10-24T23:00:00Z')).toBe('2026-10-25T21:00:00.000Z');
});

it('always begins at its start within 25 hours, in any time zone', () => {
  const time = fc
    .tuple(fc.nat(23), fc.nat(59))
    .map(([h, m]) => `${String(h).padStart(2, '0')}:${String(m).padStart(2, '0')}`);
  const zones = fc.constantFrom('UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kathmandu');
  fc.assert(
    fc.property(time, time, zones, fc.nat(366 * 24 * 60), (start, end, timeZone, minutes) => {
      fc.pre(start !== end);
      // Times that a change of the clocks leaves out do not come on that day.
      fc.pre(!/^0[1-3]/.test(start));
      const nowMs = at('2026-01-01T00:00:30Z') + minutes * 60_000;
      const beginMs = quietHoursBegin({ start, end, timeZone }, nowMs);
      expect(beginMs).toBeGreaterThan(nowMs);
      expect(beginMs - nowMs).toBeLessThanOrEqual(25 * 3_600_000);
      expect(mayRun({ start, end, timeZone }, beginMs)).toBe(true);
      const clock = new Intl.DateTimeFormat('en-GB', { timeZone, timeStyle: 'short' });
      expect(clock.format(beginMs)).toBe(start);
    }),
  );
});
