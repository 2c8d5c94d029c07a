import { expect, it } from 'vitest';
import { createMeanCount } from '../../src/lanes/mean-count.ts';

it('is the mean over time, whatever the moments at which it is looked at or changed', () => {
  let ms = 0;
  const count = createMeanCount({ monotonic: () => ms });
  expect(count.mean).toBe(0);
  // Twenty for 5 of every 100 ms, looked at while it is so.
  for (let burst = 0; burst < 20; burst += 1) {
    for (let one = 0; one < 20; one += 1) count.change(1);
    expect(count.now).toBe(20);
    expect(count.mean).toBeLessThan(2);
    ms += 5;
    count.change(-20);
    ms += 95;
  }
  expect(count.mean).toBeGreaterThan(0.5);
  expect(count.mean).toBeLessThan(2);

  count.change(30);
  ms += 1000;
  expect(count.mean).toBeCloseTo(30, 0);
  count.change(-30);
  ms += 2000;
  expect(count.mean).toBeCloseTo(0, 2);
});
