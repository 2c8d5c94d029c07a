import type { BatchDryRun } from '@nightshift/shared/http';
import type { LaneHistory, LaneLimits, LaneStanding } from '@nightshift/shared/lane';
import { countOf, numberText, spanText } from './words.ts';

/** A rate that was reached longer ago says nothing of tonight. */
const RATE_LIFE_MS = 7 * 86_400_000;

type FinishBasis = BatchDryRun['estimate']['finish_basis'];

/** How long a lane will take for the requests of one model; null when it cannot be told, and then `basis` says why. */
export interface Pace {
  minutes: number | null;
  basis: FinishBasis;
}

export interface PaceFacts {
  model: string;
  provider: string;
  requests: number;
  /** Input and likely output of all of them. */
  tokens: number;
  limits: LaneLimits;
  reached: LaneHistory['reached'];
  standing: LaneStanding;
  nowMs: number;
}

/** By the rate that the lane reached lately, unless its limits are lower now; else by its limits. */
export function estimatePace(facts: PaceFacts): Pace {
  const { model, provider, requests, reached, standing, nowMs } = facts;
  if (standing.state === 'paused' || standing.state === 'unreachable') {
    const next =
      standing.untilMs === null ? '' : `; next try in ${spanText(standing.untilMs - nowMs)}`;
    const message = `${model} at ${provider} stands still: ${standing.message}${next}`;
    return { minutes: null, basis: { source: 'standing_still', message } };
  }
  const byLimits = minutesAtLimits(facts);
  const isFresh = reached !== null && reached.perSecond > 0 && nowMs - reached.atMs < RATE_LIFE_MS;
  const byRate = isFresh ? requests / (reached.perSecond * 60) : null;
  if (isFresh && byRate !== null && byRate >= (byLimits ?? 0)) {
    const rate = `${numberText(reached.perSecond * 60)} results a minute`;
    const message = `at ${rate}, which ${model} reached over ${spanText(reached.busyMs)} of work, ${spanText(nowMs - reached.atMs)} ago`;
    return { minutes: byRate, basis: { source: 'reached', message } };
  }
  if (byLimits !== null) {
    const message = `at the limits of ${model}: ${limitsText(facts.limits)} a minute`;
    return { minutes: byLimits, basis: { source: 'limits', message } };
  }
  const message = `no limit of ${model} is known, and no rate was measured lately`;
  return { minutes: null, basis: { source: 'unknown', message } };
}

function minutesAtLimits({ limits, requests, tokens }: PaceFacts): number | null {
  const { requestsPerMinute, tokensPerMinute } = limits;
  const minutes = [
    ...(requestsPerMinute === null ? [] : [requests / requestsPerMinute]),
    ...(tokensPerMinute === null ? [] : [tokens / tokensPerMinute]),
  ];
  return minutes.length === 0 ? null : Math.max(...minutes);
}

function limitsText({ requestsPerMinute, tokensPerMinute }: LaneLimits): string {
  return [
    ...(requestsPerMinute === null ? [] : [`${numberText(requestsPerMinute)} requests`]),
    ...(tokensPerMinute === null ? [] : [`${numberText(tokensPerMinute)} tokens`]),
  ].join(' and ');
}

/** Lanes work side by side: the slowest one counts, and one of which nothing can be told is enough to tell nothing. */
export function joinPaces(paces: readonly Pace[]): Pace {
  for (const source of ['standing_still', 'unknown'] as const) {
    const such = paces.filter(({ basis }) => basis.source === source);
    const [first] = such;
    if (first === undefined) continue;
    const others = such.length > 1 ? `, and so for ${countOf(such.length - 1, 'other model')}` : '';
    return { minutes: null, basis: { source, message: `${first.basis.message}${others}` } };
  }
  const [slowest] = paces.toSorted((a, b) => (b.minutes ?? 0) - (a.minutes ?? 0));
  return (
    slowest ?? { minutes: null, basis: { source: 'unknown', message: 'there is no valid request' } }
  );
}
