/** Figures for people, the same in every locale. */

export const number = (value: number): string => value.toLocaleString('en-US');

export const seconds = (ms: number): string => `${(ms / 1000).toFixed(ms < 1000 ? 2 : 1)} s`;

/** Dollars to a millionth: a night of small jobs costs less than a cent. */
export const money = (usd: number): string => `$${usd.toFixed(6)}`;

/** "3 apples, 1 pear": the most frequent first. */
export function tally(words: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return [...counts]
    .sort(([, left], [, right]) => right - left)
    .map(([word, count]) => `${number(count)} ${word}`)
    .join(', ');
}
