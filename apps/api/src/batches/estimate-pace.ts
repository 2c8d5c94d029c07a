import type { BatchDryRun } from '@nightshift/shared/http';
import type { LaneHistory, LaneLimits, LaneStanding } from '@nightshift/shared/lane';
import { countOf, numberText, spanText } from './words.ts';

/** A throughput measured longer ago is not used. */
const RATE_LIFE_MS = 7 * 86_400_000;

type FinishBasis = BatchDryRun['estimate']['finish_basis'];

/** Estimated time of one model's requests; null if there is no estimate, and `basis` then says why. */
export interface Pace {
  minutes: number | null;
  basis: FinishBasis;
}

export interface PaceFacts {
  model: string;
  provider: string;
  requests: number;
  /** Input and likely output tokens of all requests. */
  tokens: number;
  limits: LaneLimits;
  reached: LaneHistory['reached'];
  standing: LaneStanding;
  nowMs: number;
}

/** Uses the lane's recent throughput, unless its limits are lower now; else its limits. */
export function estimatePace(facts: PaceFacts): Pace {
  const { model, provider, requests, reached, standing, nowMs } = facts;
  if (standing.state === 'paused' || standing.state === 'unreachable') {
    const next =
      standing.untilMs === null ? '' : `; next try in ${spanText(standing.untilMs - nowMs)}`;
    const message = `${model} at ${provider} is ${standing.state}: ${standing.message}${next}`;
    return { minutes: null, basis: { source: 'standing_still', message } };
  }
  const byLimits = minutesAtLimits(facts);
  const isFresh = reached !== null && reached.perSecond > 0 && nowMs - reached.atMs < RATE_LIFE_MS;
  const byRate = isFresh ? requests / (reached.perSecond * 60) : null;
  if (isFresh && byRate !== null && byRate >= (byLimits ?? 0)) {
    const rate = `${numberText(reached.perSecond * 60)} results a minute`;
    const message = `at ${rate}, measured for ${model} over ${spanText(reached.busyMs)} of work, ${spanText(nowMs - reached.atMs)} ago`;
    return { minutes: byRate, basis: { source: 'reached', message } };
  }
  if (byLimits !== null) {
    const message = `at the limits of ${model}: ${limitsText(facts.limits)} a minute`;
    return { minutes: byLimits, basis: { source: 'limits', message } };
  }
  const message = `no limit of ${model} is known, and no throughput was measured recently`;
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

/** Lanes run in parallel, so the slowest one counts. If one has no estimate, the batch has none. */
export function joinPaces(paces: readonly Pace[]): Pace {
  for (const source of ['standing_still', 'unknown'] as const) {
    const such = paces.filter(({ basis }) => basis.source === source);
    const [first] = such;
    if (first === undefined) continue;
    const others =
      such.length > 1 ? `, and likewise for ${countOf(such.length - 1, 'other model')}` : '';
    return { minutes: null, basis: { source, message: `${first.basis.message}${others}` } };
  }
  const [slowest] = paces.toSorted((a, b) => (b.minutes ?? 0) - (a.minutes ?? 0));
  return (
    slowest ?? { minutes: null, basis: { source: 'unknown', message: 'there is no valid request' } }
  );
}
