/** What a terminal shows without scrolling sideways. */
const WIDTH = 80;
const INDENT = 14;

/** A name and a text that is wrapped beside it. */
export function row(name: string, text: string): string {
  const lines = [''];
  for (const word of text.split(' ')) {
    const last = lines.at(-1) ?? '';
    if (last !== '' && last.length + 1 + word.length > WIDTH - INDENT) lines.push(word);
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`;
  }
  return `  ${name.padEnd(INDENT - 2)}${lines.join(`\n${' '.repeat(INDENT)}`)}`;
}

/** The beginning of a text that fits beside a name. */
export const cut = (text: string, length: number = WIDTH - INDENT): string =>
  text.length > length ? `${text.slice(0, length - 1)}…` : text;
