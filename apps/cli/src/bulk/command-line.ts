import { parseArgs } from 'node:util';
import { UsageError } from '../flags.ts';

interface OptionSpec {
  about: string;
  /** What stands for its value in the help; a switch has none. */
  value?: string;
  /** Its one-letter form. */
  short?: string;
}

/** By name, without the dashes. */
export type OptionTable = Readonly<Record<string, OptionSpec>>;

export interface CommandHelp {
  /** `run INPUT [-o OUTPUT]` */
  usage: string;
  /** Paragraphs, broken into lines when they are printed. */
  about: readonly string[];
  /** In the order and the groups in which the help lists them. */
  options: Readonly<Record<string, OptionTable>>;
  /** How many words it takes beside options, and what they are. */
  words: { least: number; most: number; names: string };
  examples?: readonly string[];
}

export interface CommandLine {
  words: readonly string[];
  has(option: string): boolean;
  /** The last one given. */
  one(option: string): string | undefined;
  all(option: string): readonly string[];
}

const HELP: OptionTable = { help: { short: 'h', about: 'this text' } };

/** @throws UsageError for the first argument that the command does not take, or that it needs and did not get. */
export function readCommandLine(
  args: readonly string[],
  { options, words: takes }: CommandHelp,
): CommandLine | 'help' {
  const known: OptionTable = Object.assign({}, ...Object.values(options), HELP);
  const { tokens } = parseArgs({
    args: [...args],
    options: Object.fromEntries(
      Object.entries(known).map(([name, { value, short }]) => [
        name,
        { type: value === undefined ? 'boolean' : 'string', ...(short && { short }) },
      ]),
    ),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const words: string[] = [];
  const given = new Map<string, string[]>();
  for (const token of tokens) {
    if (token.kind === 'positional') words.push(token.value);
    if (token.kind !== 'option') continue;
    const { name, rawName, value, inlineValue } = token;
    const spec = Object.hasOwn(known, name) ? known[name] : undefined;
    if (spec === undefined) throw new UsageError(unknownFlag(rawName, Object.keys(known)));
    if (spec.value === undefined && value !== undefined) {
      throw new UsageError(`${rawName} takes no value, got ${JSON.stringify(value)}`);
    }
    if (spec.value !== undefined) {
      // `-o -` is the standard output; any other dash begins the next flag.
      const isNextFlag = inlineValue === false && /^-./.test(value ?? '');
      if (value === undefined || isNextFlag) {
        const hint = isNextFlag ? `; if that is its value, write ${rawName}=${value}` : '';
        throw new UsageError(`${rawName} needs a value: ${rawName} ${spec.value}${hint}`);
      }
      if (value === '') throw new UsageError(`${rawName} must not be empty`);
    }
    given.set(name, [...(given.get(name) ?? []), value ?? '']);
  }
  if (given.has('help')) return 'help';
  if (words.length < takes.least) throw new UsageError(`${takes.names} is missing`);
  if (words.length > takes.most) {
    const extra = JSON.stringify(words[takes.most]);
    const takesWhat = takes.most === 0 ? 'only flags' : takes.names;
    throw new UsageError(`${extra} is not expected: this takes ${takesWhat}`);
  }
  return {
    words,
    has: (option) => given.has(option),
    one: (option) => given.get(option)?.at(-1),
    all: (option) => given.get(option) ?? [],
  };
}

function unknownFlag(rawName: string, known: readonly string[]): string {
  const near = known.find((name) => isNear(rawName.replace(/^-+/, ''), name));
  const hint = near === undefined ? 'see --help' : `did you mean --${near}?`;
  return `${rawName} is not a flag of this command; ${hint}`;
}

/** One letter too many, too few or other, or two that changed places. */
function isNear(given: string, name: string): boolean {
  if (given.length > 2 && name.startsWith(given)) return true;
  let start = 0;
  while (start < given.length && given[start] === name[start]) start += 1;
  const [rest, wanted] = [given.slice(start), name.slice(start)];
  const swapped = `${rest[1] ?? ''}${rest[0] ?? ''}${rest.slice(2)}`;
  return (
    [rest.slice(1), rest].includes(wanted.slice(1)) ||
    rest.slice(1) === wanted ||
    rest === wanted.slice(1) ||
    swapped === wanted
  );
}

const WIDTH = 80;
const INDENT = 30;

/** What `--help` prints. */
export function helpText({ usage, about, options, examples = [] }: CommandHelp): string {
  const groups = Object.entries({ ...options, Help: HELP }).map(([title, table]) =>
    [`${title}:`, ...Object.entries(table).flatMap(describeOption)].join('\n'),
  );
  const paragraphs = about.map((text) => wrap(text, WIDTH).join('\n'));
  const shown =
    examples.length === 0 ? [] : [['Examples:', ...examples.map((line) => `  ${line}`)].join('\n')];
  return [`usage: nightshift ${usage}`, ...paragraphs, ...groups, ...shown].join('\n\n');
}

function describeOption([name, { about, value, short }]: [string, OptionSpec]): string[] {
  const flag = `${short === undefined ? '    ' : `-${short}, `}--${name}${value === undefined ? '' : ` ${value}`}`;
  const lines = wrap(about, WIDTH - INDENT);
  const [first = '', ...rest] = flag.length + 2 > INDENT - 2 ? ['', ...lines] : lines;
  return [`  ${flag}`.padEnd(INDENT) + first, ...rest.map((line) => ' '.repeat(INDENT) + line)].map(
    (line) => line.trimEnd(),
  );
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
