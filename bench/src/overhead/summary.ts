import {
  cpuRows,
  pairedRow,
  sideNames,
  withBar,
  type Row,
  type Rounds,
  type SideName,
} from '../measure/rows.ts';
import { quantile, spreadOf } from '../measure/statistics.ts';
import type { RoundResult } from './throughput.ts';

export interface Measurements {
  rounds: Rounds<RoundResult>;
  /** Milliseconds; empty when not measured. */
  pickupsMs: Record<SideName, number[]>;
}

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
  const throughput = pairedRow(rounds, 'settled', 'jobs/s', (round) => round.jobsPerSecond);
  const cpu = cpuRows(rounds, 'job', (round) => round.cpuMsPerJob);
  return [
    withBar(throughput, 'ratio', 'at least', BARS.throughputRatio),
    pairedRow(rounds, 'accepted', 'jobs/s', (round) => round.acceptedPerSecond),
    ...cpu.map((one) =>
      one.what === 'CPU/job worker' ? withBar(one, 'ratio', 'at most', BARS.workerCpuRatio) : one,
    ),
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
