/** A table with headings, for text output. */
export interface TextTable {
  /** Headings. A heading that begins with `>` aligns its column to the right. */
  columns: readonly string[];
  rows: readonly (readonly string[])[];
}

const GAP = '  ';

/**
 * The lines of a table.
 * @param width most characters of a line, `Infinity` without a terminal
 */
export function tableLines({ columns, rows }: TextTable, width: number): string[] {
  const isRight = columns.map((column) => column.startsWith('>'));
  const all = [columns.map((column) => column.replace(/^>/, '')), ...rows].map((row) =>
    row.map(oneLine),
  );
  const widths = columns.map((_, at) => Math.max(...all.map((row) => (row[at] ?? '').length)));
  return all.map((row) =>
    cutTo(
      row
        .map((cell, at) =>
          isRight[at] ? cell.padStart(widths[at] ?? 0) : cell.padEnd(widths[at] ?? 0),
        )
        .join(GAP)
        .trimEnd(),
      width,
    ),
  );
}

/** Removes control characters, so that foreign text cannot move the cursor. */
export const oneLine = (text: string): string => text.replaceAll(/\p{Cc}+/gu, ' ');

export const cutTo = (text: string, width: number): string =>
  text.length > width ? `${text.slice(0, Math.max(0, width - 1))}…` : text;
