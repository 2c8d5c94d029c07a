import { align } from '../measure/table.ts';
import type { Bar } from './bars.ts';
import type { Waits } from './figures.ts';
import type { RunResult } from './result.ts';

type Cell = (result: RunResult) => string | null;

const rows: readonly (readonly [string, Cell])[] = [
  ['utilisation of the limit', ({ limits }) => number(limits?.utilisation, 3)],
  ['429s per call, at the provider', ({ refusedShare }) => percent(refusedShare)],
  ['time over ideal', ({ limits }) => number(limits?.timeOverIdeal, 3)],
  ['jobs lost', ({ lost, jobs }) => `${lost} of ${jobs}`],
  ['jobs unfinished', ({ unfinished }) => (unfinished > 0 ? String(unfinished) : null)],
  ['calls at the provider', ({ calls }) => String(calls)],
  ['calls/s while jobs waited', ({ engine }) => number(engine?.callsPerSecond, 1)],
  ['calls waiting in the engine, mean', ({ engine }) => number(engine?.meanQueue, 1)],
  ['calls/s let in, p50', (result) => number(result.callsPerSecondP50, 0)],
  ['calls in flight, most', ({ mostInFlight }) => String(mostInFlight)],
  ['interactive wait p50/p95/max, ms', ({ interactive }) => waits(interactive)],
  ['the same on an idle system, ms', ({ idle }) => waits(idle)],
  ['Redis commands/call', ({ redisCommands }) => number(redisCommands, 1)],
  ['Redis scripts/call', ({ redisScripts }) => number(redisScripts, 2)],
  ['pacer round trips/call', ({ pacerRoundTrips }) => number(pacerRoundTrips, 2)],
  ['CPU/call workers, ms', ({ cpuMs }) => number(cpuMs.workers, 2)],
  ['CPU/call Redis, ms', ({ cpuMs }) => number(cpuMs.redis, 2)],
  ['CPU/call API, ms', ({ cpuMs }) => number(cpuMs.api, 2)],
  ['CPU/call provider, ms', ({ cpuMs }) => number(cpuMs.provider, 2)],
  ['true tokens over estimate', ({ estimateRatio }) => ratios(estimateRatio)],
  ['error of corrected estimates', ({ estimateError }) => ratios(estimateError)],
];

/** One regime, the sides next to each other; rows that nobody has a figure for are left out. */
export function renderTable(results: readonly RunResult[]): string {
  const body = rows
    .map(([what, cell]) => [what, ...results.map(cell)])
    .filter(([, ...cells]) => cells.some((cell) => cell !== null))
    .map((cells) => cells.map((cell) => cell ?? '–'));
  return align([['', ...results.map(({ side }) => side)], ...body]);
}

export function renderBars(bars: readonly Bar[]): string {
  return align(
    bars.map(({ what, kind, value, figure, met }) => [
      what,
      Number.isNaN(figure) ? '–' : String(Number(figure.toPrecision(4))),
      `${kind === 'at least' ? '≥' : '≤'} ${value}`,
      met ? 'met' : 'MISSED',
    ]),
  );
}

function number(value: number | null | undefined, digits: number): string | null {
  return value == null ? null : value.toFixed(digits);
}

function percent(share: number): string {
  return `${(share * 100).toFixed(2)} %`;
}

function waits(of: Waits | null): string | null {
  return of === null ? null : [of.p50Ms, of.p95Ms, of.maxMs].map((ms) => ms.toFixed(0)).join(' / ');
}

function ratios(byModel: RunResult['estimateRatio']): string | null {
  const all = Object.entries(byModel).map(([model, ratio]) => `${model} ${ratio.toFixed(3)}`);
  return all.length === 0 ? null : all.join(', ');
}
