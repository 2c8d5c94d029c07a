import { expect, it } from 'vitest';
import type { Claim } from '@nightshift/shared/redis';
import { createInFlight } from '../../src/attempt/in-flight.ts';

/** Calls of two lanes that began at 10, 20 and 30 ms, and what became of them. */
function setUp() {
  const inFlight = createInFlight();
  const seen: string[] = [];
  const forget = ['lane_a', 'lane_b'].flatMap((laneId) =>
    [10, 20, 30].map((startedMs) =>
      inFlight.add({
        claim: { jobId: `${laneId} ${startedMs}` } as Claim,
        laneId,
        startedMs,
        abort: (reason) => seen.push(`${laneId} ${startedMs} ${reason}`),
        park: () => seen.push(`${laneId} ${startedMs} parked`),
      }),
    ),
  );
  return { inFlight, seen, forget };
}

it('knows the oldest call of each lane', () => {
  const { inFlight, forget } = setUp();
  expect(inFlight.oldest('lane_a')).toBe(10);
  forget[0]?.();
  expect(inFlight.oldest('lane_a')).toBe(20);
  expect(inFlight.oldest('lane_b')).toBe(10);
  expect(inFlight.oldest('lane_c')).toBeNull();
});

it('parks the older calls of one lane, and no others', () => {
  const { inFlight, seen } = setUp();
  inFlight.park('lane_a', 30);
  expect(seen.toSorted()).toEqual(['lane_a 10 parked', 'lane_a 20 parked']);
});

it('gives up the older calls of one lane, as many as it is told', () => {
  const { inFlight, seen } = setUp();
  expect(inFlight.giveUp('lane_b', 30, 1)).toBe(1);
  expect(seen).toHaveLength(1);
  expect(inFlight.giveUp('lane_b', 30)).toBe(2);
  expect(new Set(seen)).toEqual(new Set(['lane_b 10 silent', 'lane_b 20 silent']));
});
