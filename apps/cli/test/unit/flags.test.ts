import { expect, test } from 'vitest';
import { readSwitches, usageText } from '../../src/flags.ts';

const known = { once: 'ends after the results' };

test('reads the switches, and help in both forms', () => {
  expect([...readSwitches([], known)]).toEqual([]);
  expect([...readSwitches(['--once'], known)]).toEqual(['once']);
  expect([...readSwitches(['-h'], known)]).toEqual(['help']);
});

test('names the argument that it does not take', () => {
  expect(() => readSwitches(['--onec'], known)).toThrow(
    '--onec is not a flag of this command: it takes --once, --help',
  );
  expect(() => readSwitches(['--once=yes'], known)).toThrow('--once takes no value, got "yes"');
  expect(() => readSwitches(['now'], known)).toThrow('"now" is not expected');
  expect(() => readSwitches(['-x'], known)).toThrow('-x is not a flag');
});

test('the usage lists every switch', () => {
  expect(usageText('demo', 'A run.', known)).toMatch(
    /^usage: nightshift demo[^]*--once +ends after the results\n +--help/,
  );
});
