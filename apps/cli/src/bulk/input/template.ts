import { InputProblem } from './input-problem.ts';

/** Text with places for columns, cut up: a string is itself, a number is the column. */
export type Template = readonly (string | number)[];

const PLACE = /\\?\{\{([^{}\n]*)\}\}/g;

/**
 * Cuts `Summarise: {{review}}` at its places. `\{{` is two braces.
 * @param name of the flag that it came with, for the message
 * @throws InputProblem for a place that names no column, or one that there are two of
 */
export function compileTemplate(
  text: string,
  name: string,
  columns: readonly string[],
  path: string,
): Template {
  const pieces: (string | number)[] = [];
  let from = 0;
  for (const match of text.matchAll(PLACE)) {
    const [whole, inner = ''] = match;
    pieces.push(text.slice(from, match.index));
    pieces.push(
      whole.startsWith('\\') ? whole.slice(1) : columnOf(inner.trim(), name, columns, path),
    );
    from = match.index + whole.length;
  }
  pieces.push(text.slice(from));
  return pieces.filter((piece) => piece !== '');
}

/** @throws InputProblem */
export function columnOf(
  column: string,
  flag: string,
  columns: readonly string[],
  path: string,
): number {
  const index = columns.indexOf(column);
  if (index < 0) {
    throw new InputProblem(
      `${path}, line 1: there is no column ${JSON.stringify(column)}, which ${flag} names; there are ${columns.map((name) => JSON.stringify(name)).join(', ')}`,
    );
  }
  if (columns.includes(column, index + 1)) {
    throw new InputProblem(
      `${path}, line 1: ${flag} names the column ${JSON.stringify(column)}, and there are two of them`,
    );
  }
  return index;
}

export function fillTemplate(template: Template, values: readonly string[]): string {
  return template
    .map((piece) => (typeof piece === 'number' ? (values[piece] ?? '') : piece))
    .join('');
}

export const usesColumns = (template: Template): boolean =>
  template.some((piece) => typeof piece === 'number');
