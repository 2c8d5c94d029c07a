import { expect, test } from 'vitest';
import { helpText, readCommandLine, type CommandLine } from '../../src/bulk/command-line.ts';
import { UsageError } from '../../src/flags.ts';
import { commandFor, shellWord } from '../../src/bulk/reattach.ts';

const help = {
  usage: 'send FILE [flags]',
  about: ['Sends a file.'],
  words: { least: 1, most: 1, names: 'FILE' },
  options: {
    Results: {
      output: { short: 'o', value: 'FILE', about: 'where they go' },
      force: { short: 'f', about: 'replaces what is there' },
    },
    Batch: { metadata: { value: 'KEY=VALUE', about: 'can be repeated' } },
  },
};

function read(...args: string[]): CommandLine {
  const line = readCommandLine(args, help);
  if (line === 'help') throw new Error('asked for help');
  return line;
}

test('reads words, flags in both forms, and flags that are repeated', () => {
  const line = read('-o', '-', 'in.jsonl', '-f', '--metadata=a=1', '--metadata', 'b=2');
  expect(line.words).toEqual(['in.jsonl']);
  expect(line.one('output')).toBe('-');
  expect(line.has('force')).toBe(true);
  expect(line.all('metadata')).toEqual(['a=1', 'b=2']);
  expect(line.one('metadata')).toBe('b=2');
  expect(read('--', '-odd.jsonl').words).toEqual(['-odd.jsonl']);
  expect(readCommandLine(['x', '-h', '--force'], help)).toBe('help');
});

test.each([
  [[], 'FILE is missing'],
  [['a', 'b'], '"b" is not expected: this takes FILE'],
  [['a', '--outptu', 'x'], '--outptu is not a flag of this command; did you mean --output?'],
  [['a', '--constructor'], '--constructor is not a flag of this command; see --help'],
  [['a', '-x'], '-x is not a flag of this command; see --help'],
  [['a', '--force=yes'], '--force takes no value, got "yes"'],
  [['a', '--output'], '--output needs a value: --output FILE'],
  [['a', '--output='], '--output must not be empty'],
  [['a', '-o', '--force'], '-o needs a value: -o FILE; if that is its value, write -o=--force'],
])('%j: %s', (args, message) => {
  expect(() => read(...args)).toThrow(new UsageError(message));
});

test('the help lists every flag, in at most 80 columns', () => {
  const text = helpText({ ...help, examples: ['nightshift send a.jsonl'] });
  expect(text).toMatch(/^usage: nightshift send FILE \[flags\]\n\nSends a file\.\n\nResults:\n/);
  expect(text).toMatch(/^ {2}-o, --output FILE {11}where they go$/m);
  expect(text).toMatch(/^ {6}--metadata KEY=VALUE {4}can be repeated$/m);
  expect(text).toMatch(/Examples:\n {2}nightshift send a\.jsonl$/);
  for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
});

test('a command to copy repeats what nothing else knows, quoted for a shell', () => {
  const line = read('in.jsonl', '-o', "it's here.jsonl", '-f', '--metadata', 'a=1');
  expect(commandFor('bin/nightshift', ['watch', 'batch_1'], line, null)).toBe(
    String.raw`bin/nightshift watch batch_1 -o 'it'\''s here.jsonl' --force`,
  );
  expect(commandFor('nightshift', ['watch', 'b'], read('x'), 'my rows.csv')).toBe(
    "nightshift watch b --input 'my rows.csv'",
  );
  expect(['a/b-1.jsonl', 'a b', '$x', ''].map(shellWord)).toEqual([
    ...['a/b-1.jsonl', "'a b'", "'$x'", "''"],
  ]);
});
