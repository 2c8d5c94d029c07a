import { expect, it } from 'vitest';
import { fullest } from '../../src/redis/index.ts';

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
