import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  attemptsThatCount,
  formatStanding,
  noStanding,
  parseStanding,
} from '../../src/job/index.ts';

test('a job that never failed has none', () => {
  expect(parseStanding('')).toEqual(noStanding);
});

test('parses what it formats', () => {
  const number = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
  fc.assert(
    fc.property(
      fc.record({
        run: number,
        chargedInRun: number,
        trialChargedAtMs: number,
        refusals: number,
        refusedSentAtMs: number,
      }),
      (standing) => {
        expect(parseStanding(formatStanding(standing))).toEqual(standing);
      },
    ),
  );
});

test('charges of an outage do not count, charges of other runs do', () => {
  const standing = { ...noStanding, run: 12, chargedInRun: 3 };
  expect(attemptsThatCount({ attempts: 5, standing }, ',12,3,')).toBe(2);
  expect(attemptsThatCount({ attempts: 2, standing }, ',12,')).toBe(0);
  expect(attemptsThatCount({ attempts: 5, standing }, ',112,2,')).toBe(5);
  expect(attemptsThatCount({ attempts: 5, standing: noStanding }, ',')).toBe(5);
});
