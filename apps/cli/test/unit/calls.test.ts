import { describe, expect, it, test } from 'vitest';
import { countCalls, findStrangeCalls, takenOver } from '../../src/demo/calls.ts';
import { call } from '../support/night.ts';

test('calls are told apart by what ended the one before', () => {
  const ledger = [
    call('a', 1, { outcome: 'rate_limited' }),
    call('b', 2, { outcome: 'error' }),
    call('c', 3, { outcome: 'aborted' }),
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

const death = { atMs: 1_005_000 };

test('taken over is what was cut short by the death, timed until it is called again', () => {
  const cut = { outcome: 'aborted', ended_at_ms: death.atMs + 10 } as const;
  const ledger = [
    call('held', 1, cut),
    call('waiting', 2, cut),
    call('cancelled', 3, cut),
    call('earlier', 4, { outcome: 'aborted', ended_at_ms: death.atMs - 500 }),
    call('fine', 4),
    call('held', 6, { at_ms: death.atMs + 900 }),
  ];
  expect([...takenOver(ledger, death, new Set(['cancelled']))]).toEqual([
    ['held', 900],
    ['waiting', null],
  ]);
});

describe('a repeated call', () => {
  it('is as it should be after an error, a refusal, and the death of its worker', () => {
    const ledger = [
      call('a', 1, { outcome: 'error' }),
      call('a', 2, { outcome: 'broken' }),
      call('a', 3, { outcome: 'rate_limited' }),
      call('a', 4, { outcome: 'aborted', ended_at_ms: death.atMs + 10 }),
      call('a', 6),
      // Answered in the last moment, and not on record when its worker died.
      call('b', 3, { ended_at_ms: death.atMs - 200 }),
      call('b', 7),
      call('c', 4, { outcome: 'pending', ended_at_ms: null }),
      call('c', 8),
    ];
    expect(findStrangeCalls(ledger, death)).toEqual([]);
    expect(findStrangeCalls(ledger, null)).toHaveLength(3);
  });

  it('is named where there was no reason for it', () => {
    const ledger = [
      ...[call('long-before', 1), call('long-before', 7)],
      ...[call('after', 6), call('after', 7)],
      ...[call('twice', 6, { outcome: 'pending', ended_at_ms: null }), call('twice', 8)],
    ];
    expect(findStrangeCalls(ledger, death)).toEqual([
      'long-before was called again (call 7) after call 1, which was ok',
      'after was called again (call 7) after call 6, which was ok',
      'twice was called again (call 8) after call 6, which was pending',
    ]);
  });
});
