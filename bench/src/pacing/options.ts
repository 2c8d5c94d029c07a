import { countFlag, readFlags, wholeNumber } from '../flags.ts';
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

const FLAGS = ['regime', 'sides', 'fixed', 'seconds', 'workers', 'parallel', 'seed'];

/** @throws OptionError for the first wrong option. */
export function parsePacingOptions(args: readonly string[]): PacingOptions {
  const values = readFlags(args, FLAGS);
  const count = (name: string, standard: number, least: number): number =>
    countFlag(values, name, standard, least);
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
