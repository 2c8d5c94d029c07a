import { parseArgs } from 'node:util';
import { OptionError } from '../option-error.ts';
import { regimes, usualRegimes, type Regime } from './regimes.ts';
import type { SideName } from './sides/side.ts';

export interface PacingOptions {
  regimes: readonly Regime[];
  /** Where there are limits. */
  sides: readonly SideName[];
  /** Fixed numbers of calls in flight, beside us where there is an engine. */
  fixed: readonly number[];
  seconds: number;
  workers: number;
  seed: number;
  /** Light runs at the same time. */
  parallel: number;
  check: boolean;
  json: boolean;
}

const limitSides = ['nightshift', 'tutorial', 'limiter', 'cookbook'] as const;

export const pacingUsage = `usage: npm run bench -- pacing [options]

  --regime A,B      one, several or "all"; ${usualRegimes.join(',')}
  --sides A,B       of ${limitSides.join(',')}: all of them
  --fixed N,N       calls in flight of the plain workers beside an engine, 64,256
  --seconds N       what a run takes a caller that wastes nothing, 180
  --workers N       worker processes of each fleet, 4
  --parallel N      light runs at the same time, 6; the b regimes run alone
  --seed N          of jobs, arrivals and latencies, 1
  --check           exit with 1 when a bar is missed
  --json            write the results to bench/results/

Regimes:
${[...regimes.values()].map(({ name, about }) => `  ${name.padEnd(18)}${about}`).join('\n')}`;

/** @throws OptionError for the first wrong option. */
export function parsePacingOptions(args: readonly string[]): PacingOptions {
  const values = readFlags(args);
  const count = (name: string, standard: number, least: number): number => {
    const given = values[name];
    return given === undefined ? standard : wholeNumber(name, String(given), least);
  };
  const list = (name: string): string[] | null => {
    const given = values[name];
    return typeof given === 'string' ? given.split(',').map((item) => item.trim()) : null;
  };
  const sides = list('sides') ?? limitSides;
  for (const side of sides) {
    if (!limitSides.some((known) => known === side)) {
      throw new OptionError(`--sides: must be of ${limitSides.join(', ')}, got "${side}"`);
    }
  }
  return {
    regimes: namedRegimes(list('regime') ?? usualRegimes),
    sides: sides as readonly SideName[],
    fixed: (list('fixed') ?? ['64', '256']).map((text) => wholeNumber('fixed', text, 1)),
    // Less than this is all start and end, and says nothing.
    seconds: count('seconds', 180, 5),
    workers: count('workers', 4, 1),
    seed: count('seed', 1, 1),
    parallel: count('parallel', 6, 1),
    check: values['check'] === true,
    json: values['json'] === true,
  };
}

function namedRegimes(names: readonly string[]): Regime[] {
  if (names.length === 1 && names[0] === 'all') return [...regimes.values()];
  return names.map((name) => {
    const regime = regimes.get(name);
    if (regime !== undefined) return regime;
    throw new OptionError(
      `--regime: must be "all" or of ${[...regimes.keys()].join(', ')}, got "${name}"`,
    );
  });
}

function wholeNumber(name: string, text: string, least: number): number {
  const number = Number(text);
  if (text !== '' && Number.isInteger(number) && number >= least) return number;
  throw new OptionError(`--${name}: must be a whole number of at least ${least}, got "${text}"`);
}

function readFlags(args: readonly string[]): Record<string, string | boolean | undefined> {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  try {
    return parseArgs({
      args: [...args],
      options: {
        regime: text,
        sides: text,
        fixed: text,
        seconds: text,
        workers: text,
        parallel: text,
        seed: text,
        check: flag,
        json: flag,
      },
    }).values;
  } catch (error) {
    throw new OptionError((error as Error).message);
  }
}
