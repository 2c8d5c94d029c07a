import type { ProcessName } from '../measure/cpu.ts';
import { quantile, spreadOf, type Spread } from '../measure/statistics.ts';
import { sideNames, type SideName } from './side.ts';
import type { RoundResult } from './throughput.ts';

export interface Measurements {
  /** Round by round; round n of one side ran next to round n of the other. Empty when not measured. */
  rounds: Record<SideName, RoundResult[]>;
  /** Milliseconds; empty when not measured. */
  pickupsMs: Record<SideName, number[]>;
}

/** One line of the table. A bar speaks of the ratio, or of our own figure. */
export interface Row {
  what: string;
  unit: 'jobs/s' | 'ms';
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

/** The bars that this measurement is there for. */
const BARS = {
  throughputRatio: 1.2,
  workerCpuRatio: 0.7,
  pickupP50Ms: 8,
  pickupP99Ms: 40,
} as const;

export function summarise(measured: Measurements): Row[] {
  return [...throughputRows(measured.rounds), ...pickupRows(measured.pickupsMs)];
}

function throughputRows(rounds: Measurements['rounds']): Row[] {
  if (rounds.nightshift.length === 0) return [];
  const row = (what: string, unit: Row['unit'], read: (round: RoundResult) => number): Row => {
    const ratios = rounds.nightshift.map((round, at) => {
      const pair = rounds.tutorial[at];
      return pair === undefined ? Number.NaN : read(round) / read(pair);
    });
    return {
      what,
      unit,
      sides: Object.fromEntries(sideNames.map((name) => [name, spreadOf(rounds[name].map(read))])),
      ratio: spreadOf(ratios),
      bar: null,
    };
  };
  const throughput = row('settled', 'jobs/s', (round) => round.jobsPerSecond);
  const cpu = processNames
    .filter((name) => rounds.nightshift[0]?.cpuMsPerJob[name] !== undefined)
    .map((name) => row(`CPU/job ${name}`, 'ms', (round) => round.cpuMsPerJob[name] ?? Number.NaN));
  const total = row('CPU/job all', 'ms', (round) =>
    Object.values(round.cpuMsPerJob).reduce((sum, ms) => sum + ms, 0),
  );
  return [
    withBar(throughput, 'ratio', 'at least', BARS.throughputRatio),
    row('accepted', 'jobs/s', (round) => round.acceptedPerSecond),
    ...cpu.map((one) =>
      one.what === 'CPU/job worker' ? withBar(one, 'ratio', 'at most', BARS.workerCpuRatio) : one,
    ),
    total,
  ];
}

function pickupRows(pickupsMs: Measurements['pickupsMs']): Row[] {
  if (pickupsMs.nightshift.length === 0) return [];
  const row = (what: string, share: number): Row => ({
    what,
    unit: 'ms',
    sides: Object.fromEntries(
      sideNames.map((name) => [name, spreadOf([quantile(pickupsMs[name], share)])]),
    ),
    ratio: null,
    bar: null,
  });
  return [
    withBar(row('pickup p50', 0.5), 'nightshift', 'at most', BARS.pickupP50Ms),
    withBar(row('pickup p99', 0.99), 'nightshift', 'at most', BARS.pickupP99Ms),
    row('pickup max', 1),
  ];
}

function withBar(row: Row, of: Bar['of'], kind: Bar['kind'], value: number): Row {
  const figure = (of === 'ratio' ? row.ratio : row.sides.nightshift)?.median ?? Number.NaN;
  // Written so that a figure that is not a number misses its bar.
  const met = kind === 'at least' ? figure >= value : figure <= value;
  return { ...row, bar: { of, kind, value, met } };
}
