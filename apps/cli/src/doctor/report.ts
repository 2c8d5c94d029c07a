import { styleText } from 'node:util';
import { oneLine } from '../bulk/text-table.ts';
import { causes, type Cause, type Check } from './check.ts';

export interface Report {
  object: 'doctor';
  /** Nothing is wrong. */
  ok: boolean;
  /** The most important cause; null if nothing is wrong. */
  cause: Cause | null;
  /** The cause and its fix in one or two sentences. */
  summary: string;
  checks: readonly Check[];
}

export function reportOf(checks: readonly Check[]): Report {
  const worst = causes
    .map((cause) => checks.find((check) => check.cause === cause))
    .find((check) => check !== undefined);
  const mended = checks.filter(({ state }) => state === 'mended');
  const summary =
    worst === undefined
      ? ['Nothing is wrong.', ...mended.map(({ message }) => sentence(message))].join(' ')
      : [worst.message, worst.remedy ?? '']
          .filter((text) => text !== '')
          .map(sentence)
          .join(' ');
  return {
    object: 'doctor',
    ok: worst === undefined,
    cause: worst?.cause ?? null,
    summary: oneLine(summary),
    checks,
  };
}

const sentence = (text: string): string => (/[.!?…]$/.test(text) ? text : `${text}.`);

const COLORS = { ok: 'green', note: 'dim', mended: 'yellow', wrong: 'red' } as const;
/** Text narrower than this beside two columns is not readable. */
const FEWEST_COLUMNS = 30;

/**
 * The report as text: the most important cause, then every check.
 * @param width of the terminal; `Infinity` if there is none
 */
export function reportLines(
  { summary, checks }: Report,
  { width, color }: { width: number; color: boolean },
): string[] {
  const nameWidth = Math.max(...checks.map(({ name }) => name.length));
  const indent = ' '.repeat('mended'.length + nameWidth + 4);
  const room = Math.max(FEWEST_COLUMNS, width - indent.length);
  const lines = checks.flatMap(({ name, state, message, remedy }) => {
    const mark = color
      ? styleText(COLORS[state], state.padEnd(6), { validateStream: false })
      : state.padEnd(6);
    const [first = '', ...rest] = wrap(oneLine(message), room);
    const help = remedy === null ? [] : wrap(`→ ${oneLine(remedy)}`, room);
    return [
      `${mark}  ${name.padEnd(nameWidth)}  ${first}`.trimEnd(),
      ...[...rest, ...help].map((line) => indent + line),
    ];
  });
  return [summary, '', ...lines];
}

function wrap(text: string, width: number): string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1) ?? '';
    if (line !== '' && line.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`;
  }
  return lines;
}
