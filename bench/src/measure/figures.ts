import { writeResults } from './results.ts';
import { spreadOf, type Spread } from './statistics.ts';

/** One line of what is printed when there is nothing to be compared with. */
export interface Figure {
  what: string;
  unit: string;
  value: Spread;
  /** The most that it may be, or null when it is not judged. */
  most: number | null;
}

/** What `read` says of every round. */
export function figureOf<Round>(
  rounds: readonly Round[],
  what: string,
  unit: string,
  read: (round: Round) => number,
  most: number | null = null,
): Figure {
  return { what, unit, value: spreadOf(rounds.map(read)), most };
}

/** Prints the figures under a title, writes them when that is asked for, and says what missed. Resolves to the exit code. */
export async function conclude(
  name: string,
  figures: readonly Figure[],
  {
    title = '',
    options,
    more,
  }: { title?: string; options: { json: boolean; check: boolean }; more: object },
): Promise<number> {
  console.log(`${title === '' ? '' : `\n${title}\n`}\n${renderFigures(figures)}\n`);
  if (options.json) {
    console.log(`written to ${await writeResults(name, { options, figures, ...more })}`);
  }
  const missed = figures.filter((figure) => !isMet(figure)).map(({ what }) => what);
  if (missed.length > 0) console.log(`missed: ${missed.join(', ')}`);
  return options.check && missed.length > 0 ? 1 : 0;
}

/** Median, least and most, and whether the median is within its bar. A figure that is not a number misses it. */
function renderFigures(figures: readonly Figure[]): string {
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

function isMet({ value, most }: Pick<Figure, 'value' | 'most'>): boolean {
  return most === null || value.median <= most;
}
