import { expect, test } from 'vitest';
import { clockTime, duration, money, rate, short } from '../../src/bulk/format.ts';

test('figures have as many digits as say something', () => {
  expect([0, 9999, 12_345, 999_400, 999_600, 4_560_000].map(short)).toEqual([
    ...['0', '9,999', '12.3k', '999k', '1.00M', '4.56M'],
  ]);
  expect([0.517, 8.4, 12.34, 1312.4].map(rate)).toEqual(['0.52', '8.40', '12.3', '1,312']);
  expect([0, 0.000_042_3, 0.004_23, 0.5, 12.4].map(money)).toEqual([
    ...['$0.00', '$0.000042', '$0.0042', '$0.50', '$12.40'],
  ]);
});

test('durations and instants', () => {
  expect([-5, 59_400, 60_000, 250_000, 3_600_000, 25_500_000, 183_600_000].map(duration)).toEqual([
    ...['0 s', '59 s', '1 min 00 s', '4 min 10 s', '1 h 00 min', '7 h 05 min', '2 d 3 h'],
  ]);
  const noon = new Date(2026, 10, 21, 12, 0).getTime();
  expect(clockTime(noon + 123 * 60_000, noon)).toBe('14:03');
  expect(clockTime(noon + 24 * 3_600_000, noon)).toBe('Nov 22, 12:00');
});
