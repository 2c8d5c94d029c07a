import { expect, test } from 'vitest';
import { atEndOfTurn } from '../../src/redis/end-of-turn.ts';
import { gatherMoves, type Move, type Values } from '../../src/redis/gather-moves.ts';

type Call = { keys: readonly string[]; args: Values };
type Answer = (call: Call, at: number) => unknown[];

/** Answers each move with its own key. */
const echo: Answer = ({ keys }) => keys.slice(1).map((key) => ['made', key]);

function gathering(answer: Answer = echo) {
  const calls: Call[] = [];
  const make = gatherMoves<[string, string]>({
    name: 'settle-job',
    call: async (keys, args) => {
      calls.push({ keys, args });
      return answer({ keys, args }, calls.length - 1);
    },
    shared: (tenant) => ({ keys: [`${tenant}:counts`], args: [tenant] }),
  });
  return { make, calls };
}

const move = (key: string, length = 10): Move => ({ keys: [key], args: [`arg-${key}`], length });
const nextTurn = async (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('the moves of one turn are one call, what they share first, and each gets its own reply', async () => {
  const { make, calls } = gathering();
  const replies = await Promise.all(['a', 'b', 'c'].map(async (key) => make('t', move(key))));
  expect(calls).toEqual([
    { keys: ['t:counts', 'a', 'b', 'c'], args: ['t', 'arg-a', 'arg-b', 'arg-c'] },
  ]);
  expect(replies).toEqual([
    ['made', 'a'],
    ['made', 'b'],
    ['made', 'c'],
  ]);
});

test('nothing waits for another turn', async () => {
  const { make, calls } = gathering();
  void make('t', move('a'));
  expect(calls).toHaveLength(0);
  await nextTurn();
  expect(calls).toHaveLength(1);
  void make('t', move('b'));
  await nextTurn();
  expect(calls).toHaveLength(2);
});

test('each tenant has its own call', async () => {
  const { make, calls } = gathering();
  await Promise.all([
    make('one', move('a')),
    make('two', move('b')),
    make('one', move('c')),
    make('__proto__', move('d')),
  ]);
  expect(calls.map(({ keys }) => keys)).toEqual([
    ['one:counts', 'a', 'c'],
    ['two:counts', 'b'],
    ['__proto__:counts', 'd'],
  ]);
});

test('a call has at most 64 moves and, if it has more than one, at most a megabyte', async () => {
  const many = gathering();
  const keys = Array.from({ length: 150 }, (_, at) => `k${at}`);
  const replies = await Promise.all(keys.map(async (key) => many.make('t', move(key))));
  expect(many.calls.map((call) => call.keys.length - 1)).toEqual([64, 64, 22]);
  expect(replies.map(([, key]) => key)).toEqual(keys);

  const large = gathering();
  const lengths = [400_000, 600_000, 1, 5_000_000, 5_000_000, 1];
  await Promise.all(lengths.map(async (length, at) => large.make('t', move(`k${at}`, length))));
  expect(large.calls.map((call) => call.keys.slice(1))).toEqual([
    ['k0', 'k1'],
    ['k2'],
    ['k3'],
    ['k4'],
    ['k5'],
  ]);
});

test('what breaks one move is told to its caller alone', async () => {
  const { make } = gathering(() => [
    ['made', 'a'],
    ['broken', 'not a job'],
    ['made', 'c'],
  ]);
  const results = await Promise.allSettled(
    ['a', 'b', 'c'].map(async (key) => make('t', move(key))),
  );
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect((results[1] as PromiseRejectedResult).reason).toEqual(new Error('not a job (settle-job)'));
});

test('a call that fails fails for all its callers, and for no others', async () => {
  const gone = new Error('Connection is closed.');
  const { make } = gathering((call, at) => {
    if (at === 0) throw gone;
    return echo(call, at);
  });
  const results = await Promise.allSettled([
    make('one', move('a')),
    make('one', move('b')),
    make('two', move('c')),
  ]);
  expect(results).toEqual([
    { status: 'rejected', reason: gone },
    { status: 'rejected', reason: gone },
    { status: 'fulfilled', value: ['made', 'c'] },
  ]);
  expect(await make('one', move('d'))).toEqual(['made', 'd']);
});

test('a reply that is missing rejects instead of leaving its caller waiting', async () => {
  const { make } = gathering(() => []);
  await expect(make('t', move('a'))).rejects.toThrow('no reply (settle-job)');
});

test('the end of a turn: what makes commands, results first, then what writes them, all in one', async () => {
  const order: string[] = [];
  atEndOfTurn('write', () => order.push('write'));
  atEndOfTurn('gather', () => {
    order.push('gather');
    atEndOfTurn('write', () => order.push('write of the gathered'));
  });
  atEndOfTurn('record', () => order.push('record'));
  setImmediate(() => order.push('next'));
  await nextTurn();
  expect(order).toEqual(['record', 'gather', 'write', 'write of the gathered', 'next']);
  atEndOfTurn('write', () => order.push('again'));
  await nextTurn();
  expect(order.at(-1)).toBe('again');
});
