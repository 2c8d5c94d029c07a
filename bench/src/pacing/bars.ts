import type { Regime } from './regimes.ts';
import type { RunResult } from './result.ts';

/** What our side has to reach in one regime. */
export interface Bar {
  what: string;
  kind: 'at least' | 'at most';
  value: number;
  /** Not a number where there was nothing to measure. */
  figure: number;
  met: boolean;
}

const BARS = {
  utilisation: 0.97,
  timeOverIdeal: 1.04,
  redisRoundTrips: 0.5,
  /** Beyond the median of an idle system. */
  interactiveP95Ms: 250,
  /** Of the best fixed number of calls in flight. */
  engineThroughput: 0.95,
  engineQueue: 10,
} as const;
/** Below this rate a lane's upkeep outweighs its calls. */
const ROUND_TRIPS_FROM_RPM = 10_000;

/** The bars of a regime; `results` are all its sides. Empty without ours. */
export function barsOf(regime: Regime, results: readonly RunResult[]): Bar[] {
  const ours = results.find(({ side }) => side === 'nightshift');
  if (ours === undefined) return [];
  const lost = bar('jobs lost or unfinished', 'at most', 0, ours.lost + ours.unfinished);
  if (regime.slots !== null) {
    const best = Math.max(
      ...results
        .filter(({ side }) => side !== 'nightshift')
        .map(({ engine }) => engine?.callsPerSecond ?? 0),
    );
    const share = (ours.engine?.callsPerSecond ?? Number.NaN) / best;
    return [
      bar('calls/s over the best fixed', 'at least', BARS.engineThroughput, share),
      bar('engine queue, mean', 'at most', BARS.engineQueue, ours.engine?.meanQueue),
      lost,
    ];
  }
  const bars = [
    bar('utilisation', 'at least', BARS.utilisation, ours.limits?.utilisation),
    bar('429s per call', 'at most', regime.refusedBar ?? 0, ours.refusedShare),
    bar('time over ideal', 'at most', BARS.timeOverIdeal, ours.limits?.timeOverIdeal),
    lost,
  ];
  if ((regime.limits.requestsPerMinute ?? 0) >= ROUND_TRIPS_FROM_RPM) {
    const trips = ours.pacerRoundTrips ?? Number.NaN;
    bars.push(bar('pacer round trips/call', 'at most', BARS.redisRoundTrips, trips));
  }
  if (regime.interactiveShare > 0) {
    const beyond = (ours.interactive?.p95Ms ?? Number.NaN) - (ours.idle?.p50Ms ?? Number.NaN);
    bars.push(bar('interactive p95 beyond idle, ms', 'at most', BARS.interactiveP95Ms, beyond));
  }
  return bars;
}

function bar(what: string, kind: Bar['kind'], value: number, figure: number = Number.NaN): Bar {
  // Written so that a figure that is not a number misses its bar.
  return {
    what,
    kind,
    value,
    figure,
    met: kind === 'at least' ? figure >= value : figure <= value,
  };
}
