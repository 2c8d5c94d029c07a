import { createHash } from 'node:crypto';
import { canonicalJson } from '@nightshift/shared/json';

/** Bounds memory to about 100 MB for a file of any length. Later requests are compared only with these. */
const MAX_KEPT = 1_000_000;
const HASH_BYTES = 16;

/** Counts requests whose body equals an earlier one, regardless of the order of its fields. */
export function createDuplicateCount(maxKept = MAX_KEPT) {
  const seen = new Set<string>();
  let count = 0;
  return {
    add: (body: unknown): void => {
      const hash = createHash('sha256').update(canonicalJson(body)).digest();
      const key = hash.toString('latin1', 0, HASH_BYTES);
      if (seen.has(key)) count += 1;
      else if (seen.size < maxKept) seen.add(key);
    },
    get count(): number {
      return count;
    },
  };
}
