import { expect, test } from 'vitest';
import { countCalls, takenOver, waits } from '../../src/demo/calls.ts';
import { call } from '../support/jobs.ts';

test('calls are told apart by what ended the one before', () => {
  const ledger = [
    call('a', 1, { outcome: 'rate_limited' }),
    call('b', 2, { outcome: 'error' }),
    call('c', 3, { outcome: 'aborted', client_aborted: true }),
    call('d', 4),
    call('a', 5),
    call('b', 6, { outcome: 'broken' }),
    call('b', 7),
    call('c', 8),
    { ...call('e', 9), marker: null },
  ];
  expect(countCalls(ledger)).toEqual({
    total: 8,
    first: 4,
    afterRefusal: 1,
    afterError: 2,
    afterDeath: 1,
    refused: 1,
  });
});

test('taken over is what was cut short by the death, timed until it is called again', () => {
  const diedAtMs = 5000;
  const cut = { outcome: 'aborted', ended_at_ms: 5010 } as const;
  const ledger = [
    call('held', 1, cut),
    call('waiting', 2, cut),
    call('expired', 3, cut),
    call('earlier', 4, { outcome: 'aborted', ended_at_ms: 4500 }),
    call('fine', 4),
    call('held', 6, { at_ms: 5900 }),
  ];
  expect([...takenOver(ledger, diedAtMs, new Set(['expired']))]).toEqual([
    ['held', 900],
    ['waiting', null],
  ]);
});

test('a job waits until its first call', () => {
  const ledger = [call('a', 1), call('a', 2), call('b', 3)];
  const submitted = new Map([
    ['a', 400],
    ['b', 3100],
  ]);
  expect([...waits(ledger, submitted)]).toEqual([
    ['a', 600],
    ['b', 0],
  ]);
});
