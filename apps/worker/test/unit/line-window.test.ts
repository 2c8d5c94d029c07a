import fc from 'fast-check';
import { expect, test } from 'vitest';
import { linesToFeed } from '../../src/batches/line-window.ts';

test('a batch of small lines has a thousand of them in its lane', () => {
  expect(linesToFeed(0, 400, 20_000)).toBe(1000);
  expect(linesToFeed(700, 400, 20_000)).toBe(300);
});

test('a handful of free places is left until there are more, unless they take the rest', () => {
  expect(linesToFeed(850, 400, 20_000)).toBe(0);
  expect(linesToFeed(850, 400, 20)).toBe(20);
});

test('large lines are few at once, and are fed when some of these few are done', () => {
  expect(linesToFeed(0, 1_000_000, 500)).toBe(16);
  expect(linesToFeed(12, 1_000_000, 500)).toBe(4);
  expect(linesToFeed(15, 1_000_000, 500)).toBe(0);
});

test('whatever the lines are, the last of them are fed, and never more than there is room for', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 1000 }),
      fc.integer({ min: 1, max: 5_000_000 }),
      fc.integer({ min: 1, max: 1_000_000 }),
      (outstanding, averageBytes, left) => {
        const fed = linesToFeed(outstanding, averageBytes, left);
        expect(fed).toBeLessThanOrEqual(left);
        expect(fed).toBeLessThanOrEqual(Math.max(0, 1000 - outstanding));
        // A lane that has run empty is never left so.
        expect(linesToFeed(0, averageBytes, left)).toBeGreaterThan(0);
      },
    ),
  );
});
