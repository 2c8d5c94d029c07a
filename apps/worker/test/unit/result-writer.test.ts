import type { LineResult } from '@nightshift/shared/redis';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { firstOf } from '../../src/batches/result-writer.ts';

const MOST = 1000;
const resultOf = ({ bytes, isBlob }: { bytes: number; isBlob: boolean }): LineResult =>
  ({
    response: isBlob
      ? { body: '', blob: { name: 'answers-00/req_1', bytes } }
      : { body: 'x'.repeat(bytes) },
  }) as LineResult;
const bytesOf = (results: readonly LineResult[]): number =>
  results.reduce(
    (sum, { response }) => sum + (response?.blob?.bytes ?? response?.body.length ?? 0),
    0,
  );

it('takes as many results as fit into memory, and always the first', () => {
  const results = fc.array(fc.record({ bytes: fc.nat(2 * MOST), isBlob: fc.boolean() }));
  fc.assert(
    fc.property(results, (sizes) => {
      const all = sizes.map(resultOf);
      const taken = firstOf(all, MOST);
      expect(taken).toEqual(all.slice(0, taken.length));
      expect(taken.length).toBeGreaterThanOrEqual(Math.min(1, all.length));
      if (taken.length > 1) expect(bytesOf(taken)).toBeLessThanOrEqual(MOST);
      if (taken.length < all.length) {
        expect(bytesOf(all.slice(0, taken.length + 1))).toBeGreaterThan(MOST);
      }
    }),
  );
  expect(firstOf([], MOST)).toEqual([]);
});
