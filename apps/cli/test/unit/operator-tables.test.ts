import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CommandError } from '../../src/bulk/exit-codes.ts';
import { laneTarget } from '../../src/bulk/find-target.ts';
import { bytes } from '../../src/bulk/format.ts';
import { batchTable, laneTable } from '../../src/bulk/operator-tables.ts';
import { tableLines } from '../../src/bulk/text-table.ts';
import { batchAt, batchView, laneView } from '../support/batches.ts';

test('columns are aligned, numbers to the right', () => {
  const table = {
    columns: ['NAME', '>N'],
    rows: [
      ['a', '1'],
      ['long name', '1,000'],
    ],
  };
  expect(tableLines(table, Infinity)).toEqual([
    'NAME           N',
    'a              1',
    'long name  1,000',
  ]);
});

test('whatever a cell holds, each row is one line and no longer than the terminal', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.string({ unit: 'binary' }), fc.string())),
      fc.integer({ min: 1, max: 100 }),
      (rows, width) => {
        const lines = tableLines({ columns: ['A', '>B'], rows }, width);
        expect(lines).toHaveLength(rows.length + 1);
        for (const line of lines) {
          expect(line.length).toBeLessThanOrEqual(width);
          expect(line).not.toMatch(/\p{Cc}/u);
        }
      },
    ),
  );
});

test('a batch shows progress, failures, cost and why it is waiting', () => {
  const nowMs = 2_000_000;
  const waiting_for = { reason: 'no_worker', message: 'No worker is alive', until: null };
  const [, first, second] = tableLines(
    batchTable(
      [
        { ...batchAt(300, 12, { paused: true, cost_usd: 1.5 }), waiting_for },
        batchView({ status: 'failed', cost_usd: null }),
      ],
      nowMs,
    ),
    Infinity,
  );
  expect(first).toMatch(
    /in progress, paused +312 of 1,000, 31 % +12 +\$1\.50 .* No worker is alive$/,
  );
  expect(second).toMatch(/ failed +– +0 +unknown /);
});

test('a lane shows why it is held up', () => {
  const still = laneView({ state: 'paused', reason: 'lane_paused', message: '401', until: 5 });
  const [, open, paused] = tableLines(laneTable([laneView(), still], 1000), Infinity);
  expect(open).toMatch(/^gpt-4o +openai +open +480 +0 +12 +200 +lane_1$/);
  expect(paused).toMatch(/ paused .* lane_1 +401 \(until .*\)$/);
});

test('a lane is named by its id, its model, or provider and model', () => {
  const lanes = [
    laneView({ id: 'lane_a' }),
    laneView({ id: 'lane_b', provider: 'own' }),
    laneView({ id: 'lane_c', model: 'other' }),
  ];
  expect(laneTarget('lane_b', lanes)).toEqual({ id: 'lane_b', name: 'gpt-4o at own' });
  expect(laneTarget('other', lanes)).toMatchObject({ id: 'lane_c' });
  expect(laneTarget('openai/gpt-4o', lanes)).toMatchObject({ id: 'lane_a' });
  expect(() => laneTarget('gpt-4o', lanes)).toThrow(
    '"gpt-4o" names 2 lanes: give the id of one: lane_a (gpt-4o at openai), lane_b (gpt-4o at own)',
  );
  expect(() => laneTarget('none', lanes)).toThrow(
    /^there is no batch and no lane "none": .* such as gpt-4o, other$/,
  );
  expect(() => laneTarget('none', [])).toThrow(CommandError);
});

test('formats bytes', () => {
  expect([0, 812, 63e6, 64_000_000, 1.2e12, 5e16].map(bytes)).toEqual([
    ...['0 B', '812 B', '63.0 MB', '64.0 MB', '1.20 TB', '5.00e+4 TB'],
  ]);
});
