import { expect, it } from 'vitest';
import { fullest, isReserveTouched } from '../../src/redis/index.ts';

const node = (usedBytes: number, limitBytes: number) => ({
  usedBytes,
  limitBytes,
  admissionBytes: limitBytes / 2,
});

it('uses the fullest master, and one without a limit is never full', () => {
  expect(fullest([])).toEqual(node(0, 0));
  expect(fullest([node(500, 0), node(90, 100), node(150, 200)])).toEqual(node(90, 100));
  expect(fullest([node(500, 0)])).toEqual(node(500, 0));
});

it('takes the reserve for touched while a large job still finds no room above it', () => {
  const of = (usedBytes: number) => ({ usedBytes, limitBytes: 64e6, admissionBytes: 56e6 });
  expect([53e6, 54e6, 54.1e6, 63e6].map((used) => isReserveTouched(of(used)))).toEqual([
    ...[false, false, true, true],
  ]);
  expect(isReserveTouched({ usedBytes: 9e9, limitBytes: 0, admissionBytes: 0 })).toBe(false);
  expect(isReserveTouched({ usedBytes: 3.8e6, limitBytes: 8e6, admissionBytes: 4e6 })).toBe(true);
  expect(isReserveTouched({ usedBytes: 3.5e6, limitBytes: 8e6, admissionBytes: 4e6 })).toBe(false);
});
