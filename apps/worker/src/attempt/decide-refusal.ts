import {
  behind,
  rejected,
  sentence,
  toHead,
  type AttemptFacts,
  type LaneNews,
  type NextStep,
} from './next-step.ts';
import type { Outcome } from './outcome.ts';

type Refusal = Extract<Outcome, { kind: 'rate_limited' | 'lane_refused' }>;

/** A request that was refused this often while others succeeded has failed. */
const MAX_REFUSALS = 10;
const APART_MS = { first: 500, most: 30_000 };
/** When a larger share of the lane's calls is refused, a refusal says nothing about the request. */
const FEW_REFUSED = 0.3;
/** A credential that worked within this time may still work, so one 403 says nothing about it. */
const LATELY_MS = 600_000;
/** After this many refusals of a lane's only job, and of no other, the request itself is refused. */
const ALONE_REFUSALS = 4;

/** Decides whether the provider refused the request or its lane; see docs/adr/0025. */
export function decideRefusal(outcome: Refusal, facts: AttemptFacts): NextStep {
  if (outcome.kind === 'rate_limited') return decideRateLimit(outcome, facts);
  if (outcome.reason !== 'forbidden') return pause(outcome, facts);
  return decideForbidden(outcome, facts);
}

/** True when the provider refuses this request, not the lane: the lane does not cool down and its budget learns nothing. */
export function isOwnRefusal({ standing, lane }: AttemptFacts): boolean {
  return (
    standing.refusals > 0 &&
    lane.succeededSentAtMs > standing.refusedSentAtMs &&
    lane.refusedShare < FEW_REFUSED
  );
}

function decideRateLimit(
  outcome: Extract<Outcome, { kind: 'rate_limited' }>,
  facts: AttemptFacts,
): NextStep {
  const { standing, sentAtMs, random } = facts;
  const cool: LaneNews = { kind: 'cool', retryAfterMs: outcome.retryAfterMs };
  if (standing.refusals === 0) {
    const release = toHead('rate_limit', outcome.message, 'rate_limited');
    const refused = { ...standing, refusals: 1, refusedSentAtMs: sentAtMs };
    return { kind: 'release', release: { ...release, standing: refused }, lane: cool };
  }
  const release = behind('rate_limit', outcome.message, 'rate_limited', random);
  // No other call has succeeded since: trying another job tells whether the lane is refused.
  if (!isOwnRefusal(facts)) return { kind: 'release', release, lane: cool };
  const refusals = standing.refusals + 1;
  if (refusals >= MAX_REFUSALS) return rejected(outcome);
  const apartMs =
    Math.min(APART_MS.most, APART_MS.first * 2 ** (refusals - 1)) * (0.5 + 0.5 * random);
  return {
    kind: 'release',
    release: {
      ...release,
      delayMs: Math.max(apartMs, outcome.retryAfterMs ?? 0),
      standing: { ...standing, refusals },
    },
    lane: null,
  };
}

function decideForbidden(
  outcome: Extract<Outcome, { kind: 'lane_refused' }>,
  facts: AttemptFacts,
): NextStep {
  const { jobId, standing, sentAtMs, isProbe, lane, random } = facts;
  const { refusals, refusedSentAtMs } = standing;
  // A call sent after the job's first refusal succeeded: the credential works, so this request is refused.
  if (refusals > 0 && lane.credentialSucceededSentAtMs > refusedSentAtMs) return rejected(outcome);
  const workedLately =
    lane.credentialSucceededAtMs > (refusedSentAtMs || sentAtMs) - LATELY_MS &&
    lane.credentialSucceededAtMs > 0;
  const isAlone = isProbe && lane.refusedJob === jobId;
  if (isAlone && workedLately && refusals + 1 >= ALONE_REFUSALS) return rejected(outcome);
  if (refusals > 0 || !workedLately) return pause(outcome, facts);
  const release = behind('backoff', outcome.message, outcome.reason, random);
  return {
    kind: 'release',
    // Other calls have this long to show that the credential works.
    release: {
      ...release,
      delayMs: 1000 + 500 * random,
      standing: { ...standing, refusals: 1, refusedSentAtMs: sentAtMs },
    },
    lane: null,
  };
}

function pause(
  outcome: Extract<Outcome, { kind: 'lane_refused' }>,
  { standing, sentAtMs, random }: AttemptFacts,
): NextStep {
  return {
    kind: 'release',
    release: {
      ...behind('lane_paused', outcome.message, outcome.reason, random),
      standing: {
        ...standing,
        refusals: standing.refusals + 1,
        refusedSentAtMs: standing.refusedSentAtMs || sentAtMs,
      },
    },
    lane: { kind: 'pause', reason: outcome.reason, message: sentence(outcome.message) },
  };
}
