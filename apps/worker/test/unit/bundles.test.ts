import { expect, it } from 'vitest';
import { createBundles } from '../../src/batches/bundles.ts';

function pace(perSecond: number) {
  let now = 0;
  const bundles = createBundles<{ laneId: string; line: number }>(() => now);
  for (; now <= 1000; now += 50) bundles.settled(Math.round((perSecond * now) / 1000));
  return bundles;
}
const lines = (count: number, lane: (line: number) => string = () => 'one') =>
  Array.from({ length: count }, (_, line) => ({ laneId: lane(line), line }));
const sizes = (perSecond: number, given = lines(100)) =>
  pace(perSecond)
    .cut(given)
    .map((bundle) => bundle.length);

it('sends lines one at a time at the pace of a model, and before the pace is known', () => {
  expect(createBundles(() => 0).cut(lines(3))).toHaveLength(3);
  expect(new Set(sizes(167))).toEqual(new Set([1]));
  expect(new Set(sizes(390))).toEqual(new Set([1]));
});

it('knows a pace when results could have come for a while, also that there were none', () => {
  let now = 0;
  const bundles = createBundles(() => now);
  bundles.settled(0);
  now = 99;
  bundles.settled(50);
  expect(bundles.isPaceKnown).toBe(false);
  now = 100;
  bundles.settled(0);
  expect(bundles.isPaceKnown).toBe(true);
});

it('goes by the pace that it is told to expect until its own is known', () => {
  let now = 0;
  const bundles = createBundles<{ laneId: string; line: number }>(() => now);
  bundles.expect(0);
  expect(bundles.isPaceKnown).toBe(false);
  bundles.expect(2000);
  expect(bundles.isPaceKnown).toBe(true);
  expect(bundles.cut(lines(20)).map(({ length }) => length)).toEqual([10, 10]);
  bundles.settled(0);
  now = 100;
  bundles.settled(10);
  bundles.expect(2000);
  expect(bundles.cut(lines(2))).toHaveLength(2);
});

it('bundles those of the same five milliseconds, and not more than sixteen', () => {
  expect(sizes(2000)).toEqual(Array.from({ length: 10 }, () => 10));
  expect(sizes(100_000)).toEqual([16, 16, 16, 16, 16, 16, 4]);
});

it('takes a pause for what it is', () => {
  let now = 0;
  const bundles = createBundles<{ laneId: string }>(() => now);
  bundles.settled(0);
  now = 1000;
  bundles.settled(5000);
  expect(bundles.cut(lines(16))).toHaveLength(1);
  now = 61_000;
  bundles.settled(5100);
  expect(bundles.cut(lines(16))).toHaveLength(16);
});

it('bundles within a lane, each at its own part of the pace, and loses and doubles none', () => {
  const given = lines(100, (line) => (line % 5 === 0 ? 'small' : 'large'));
  const cut = pace(2000).cut(given);
  for (const bundle of cut) expect(new Set(bundle.map(({ laneId }) => laneId)).size).toBe(1);
  const [largest, smallest] = ['large', 'small'].map((lane) =>
    Math.max(...cut.filter(([first]) => first?.laneId === lane).map((bundle) => bundle.length)),
  );
  expect([largest, smallest]).toEqual([8, 2]);
  expect(cut.flat().toSorted((a, b) => a.line - b.line)).toEqual(given);
});
