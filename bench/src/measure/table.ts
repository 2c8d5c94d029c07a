import type { Row } from './rows.ts';
import type { Spread } from './statistics.ts';

/** The rows as text for a terminal: median, and least and most over the rounds in parentheses. */
export function renderTable(rows: readonly Row[]): string {
  const lines = [
    ['', 'nightshift', 'tutorial', 'ratio', 'bar'],
    ...rows.map((row) => [
      `${row.what}, ${row.unit}`,
      show(row.sides.nightshift, row.unit),
      show(row.sides.tutorial, row.unit),
      show(row.ratio, 'ratio'),
      showBar(row),
    ]),
  ];
  return align(lines);
}

function show(spread: Spread | null | undefined, unit: string): string {
  if (spread == null) return '–';
  const digits = unit.endsWith('/s') ? 0 : 2;
  const { median, min, max } = spread;
  if (min === max) return median.toFixed(digits);
  return `${median.toFixed(digits)} (${min.toFixed(digits)}–${max.toFixed(digits)})`;
}

function showBar({ bar }: Row): string {
  if (bar === null) return '';
  const sign = bar.kind === 'at least' ? '≥' : '≤';
  return `${bar.of} ${sign} ${bar.value}: ${bar.met ? 'met' : 'MISSED'}`;
}

/** Cells in columns as wide as their widest. */
export function align(lines: readonly (readonly string[])[]): string {
  const widths = (lines[0] ?? []).map((_, column) =>
    Math.max(...lines.map((cells) => cells[column]?.length ?? 0)),
  );
  return lines
    .map((cells) =>
      cells
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
