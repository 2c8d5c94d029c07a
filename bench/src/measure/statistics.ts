export interface Spread {
  median: number;
  min: number;
  max: number;
}

/** @throws RangeError for an empty list. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = sortedCopy(values);
  return { median: middle(sorted), min: sorted[0] as number, max: sorted.at(-1) as number };
}

/** The value that a share of the list does not exceed, by nearest rank; no value is made up between two. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = sortedCopy(values);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] as number;
}

function sortedCopy(values: readonly number[]): number[] {
  if (values.length === 0) throw new RangeError('there is no value to summarise');
  return values.toSorted((left, right) => left - right);
}

function middle(sorted: readonly number[]): number {
  const half = sorted.length >> 1;
  const upper = sorted[half] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] as number) + upper) / 2;
}
