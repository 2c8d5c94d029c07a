import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Bag, type Place } from '../../src/collections/index.ts';

const inOrder = (numbers: Iterable<number>): number[] => [...numbers].toSorted((a, b) => a - b);

describe('a bag', () => {
  it('holds what was added and not taken out, each as often as it was added', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.integer({ min: 0, max: 3 }), fc.constant('delete')), {
          maxLength: 60,
        }),
        fc.infiniteStream(fc.nat()),
        (steps, random) => {
          const bag = new Bag<number>();
          const inside: Place<number>[] = [];
          for (const step of steps) {
            if (step !== 'delete') inside.push(bag.add(step));
            else if (inside.length > 0) {
              const [place] = inside.splice((random.next().value as number) % inside.length, 1);
              expect(bag.delete(place as Place<number>)).toBe(true);
              expect(bag.delete(place as Place<number>)).toBe(false);
            }
            expect(inOrder(bag)).toEqual(inOrder(inside.map(({ value }) => value)));
            expect(bag.size).toBe(inside.length);
          }
        },
      ),
    );
  });

  it('goes on when what it walks over is taken out', () => {
    const bag = new Bag<string>();
    const places = new Map(['a', 'b', 'c'].map((value) => [value, bag.add(value)]));
    const seen: string[] = [];
    for (const value of bag) {
      seen.push(value);
      bag.delete(places.get(value) as Place<string>);
    }
    expect(seen).toEqual(['a', 'b', 'c']);
    expect(bag.size).toBe(0);
  });
});
