import type { ProcessName } from './cpu.ts';
import { spreadOf, type Spread } from './statistics.ts';

export const sideNames = ['nightshift', 'tutorial'] as const;
export type SideName = (typeof sideNames)[number];

/** Round by round; round n of one side ran next to round n of the other. Empty when not measured. */
export type Rounds<Round> = Record<SideName, Round[]>;

/** One line of the table. A bar speaks of the ratio, or of our own figure. */
export interface Row {
  what: string;
  unit: string;
  sides: Partial<Record<SideName, Spread>>;
  /** Ours over theirs in rounds that ran next to each other; null where there are no such pairs. */
  ratio: Spread | null;
  bar: Bar | null;
}

interface Bar {
  of: 'ratio' | 'nightshift';
  kind: 'at least' | 'at most';
  value: number;
  met: boolean;
}

const processNames: readonly ProcessName[] = ['api', 'worker', 'redis', 'provider', 'bench'];

/** What rounds of both sides came to; a figure that a side does not have is not a number. */
export function pairedRow<Round>(
  rounds: Rounds<Round>,
  what: string,
  unit: string,
  read: (round: Round) => number,
): Row {
  const ratios = rounds.nightshift.flatMap((round, at) => {
    const pair = rounds.tutorial[at];
    return pair === undefined ? [] : [read(round) / read(pair)];
  });
  const sides = sideNames.map((name) => [name, rounds[name].map(read)] as const);
  const isKnown = (values: readonly number[]): boolean =>
    values.length > 0 && !values.some(Number.isNaN);
  return {
    what,
    unit,
    sides: Object.fromEntries(
      sides
        .filter(([, values]) => isKnown(values))
        .map(([name, values]) => [name, spreadOf(values)]),
    ),
    ratio: isKnown(ratios) ? spreadOf(ratios) : null,
    bar: null,
  };
}

type CpuMs = Partial<Record<ProcessName, number>>;

/** CPU of each process and of all together; `per` is the unit that it was divided by. */
export function cpuRows<Round>(
  rounds: Rounds<Round>,
  per: string,
  cpuMs: (round: Round) => CpuMs,
): Row[] {
  const [first] = rounds.nightshift;
  if (first === undefined) return [];
  return [
    ...processNames
      .filter((name) => cpuMs(first)[name] !== undefined)
      .map((name) =>
        pairedRow(rounds, `CPU/${per} ${name}`, 'ms', (round) => cpuMs(round)[name] ?? Number.NaN),
      ),
    pairedRow(rounds, `CPU/${per} all`, 'ms', (round) =>
      Object.values(cpuMs(round)).reduce((sum, ms) => sum + ms, 0),
    ),
  ];
}

export function withBar(row: Row, of: Bar['of'], kind: Bar['kind'], value: number): Row {
  const figure = (of === 'ratio' ? row.ratio : row.sides.nightshift)?.median ?? Number.NaN;
  // Written so that a figure that is not a number misses its bar.
  const met = kind === 'at least' ? figure >= value : figure <= value;
  return { ...row, bar: { of, kind, value, met } };
}

/** The bars that were missed, by their rows' names. */
export function missedOf(rows: readonly Row[]): string[] {
  return rows.filter(({ bar }) => bar?.met === false).map(({ what }) => what);
}
