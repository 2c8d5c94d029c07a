import type { Spread } from './statistics.ts';

/** One line of what is printed when there is nothing to be compared with. */
export interface Figure {
  what: string;
  unit: string;
  value: Spread;
  /** The most that it may be, or null when it is not judged. */
  most: number | null;
}

/** Median, least and most, and whether the median is within its bar. A figure that is not a number misses it. */
export function renderFigures(figures: readonly Figure[]): string {
  const width = Math.max(...figures.map(({ what, unit }) => `${what}, ${unit}`.length));
  return figures
    .map(({ what, unit, value, most }) => {
      const [middle, least, highest] = [value.median, value.min, value.max].map((figure) =>
        figure.toFixed(unit === 'ratio' || unit === 's' ? 2 : 0),
      );
      const shown = least === highest ? middle : `${middle} (${least}–${highest})`;
      const verdict = isMet({ value, most }) ? 'met' : 'MISSED';
      const bar = most === null ? '' : `   ≤ ${most}: ${verdict}`;
      return `${`${what}, ${unit}`.padEnd(width)}   ${shown}${bar}`;
    })
    .join('\n');
}

export function missedFigures(figures: readonly Figure[]): string[] {
  return figures.filter((figure) => !isMet(figure)).map(({ what }) => what);
}

function isMet({ value, most }: Pick<Figure, 'value' | 'most'>): boolean {
  return most === null || value.median <= most;
}
