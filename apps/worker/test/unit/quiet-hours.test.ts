import { expect, it } from 'vitest';
import { mayRun } from '../../src/batches/quiet-hours.ts';

const at = (iso: string): number => Date.parse(iso);

it('runs from the start up to the end, by the clock of its zone', () => {
  const office = { start: '09:00', end: '17:30', timeZone: 'UTC' };
  expect(mayRun(office, at('2026-01-10T08:59:59Z'))).toBe(false);
  expect(mayRun(office, at('2026-01-10T09:00:00Z'))).toBe(true);
  expect(mayRun(office, at('2026-01-10T17:29:59Z'))).toBe(true);
  expect(mayRun(office, at('2026-01-10T17:30:00Z'))).toBe(false);
});

it('runs over midnight, and keeps to the clock when it is changed', () => {
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
