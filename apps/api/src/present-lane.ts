import { presentWait, type LaneView } from '@nightshift/shared/http';
import {
  budgetWait,
  laneStanding,
  limitsOf,
  remainingOf,
  type Lane,
} from '@nightshift/shared/lane';
import { laneWait, noWorkerWait } from '@nightshift/shared/waiting';
import type { Context } from './context.ts';
import { laneWords } from './present-job.ts';

/** A lane takes a dozen reads; a thousand at once would hold up the calls of everyone else. */
const LANES_AT_ONCE = 25;

export async function allLanes(context: Context): Promise<LaneView[]> {
  const lanes = await context.lanes.all();
  lanes.sort((a, b) => compare(a.provider, b.provider) || compare(a.model, b.model));
  const views: LaneView[] = [];
  for (let from = 0; from < lanes.length; from += LANES_AT_ONCE) {
    const page = lanes.slice(from, from + LANES_AT_ONCE);
    views.push(...(await Promise.all(page.map(async (lane) => presentLane(context, lane)))));
  }
  return views;
}

export async function presentLane(context: Context, lane: Lane): Promise<LaneView> {
  const { lanes, laneQueues } = context;
  const [state, budget, counts, fleet] = await Promise.all([
    lanes.state(lane.id),
    lanes.budget(lane.id),
    laneQueues.counts(lane.id),
    context.fleetStates.get(),
  ]);
  const isWaiting = counts.queued.interactive + counts.queued.bulk > 0;
  const wait =
    laneWait(lane, state, laneWords(context)) ?? (isWaiting ? noWorkerWait(fleet) : null);
  const limits = limitsOf(budget);
  const { nowMs } = state;
  const { calls, refused } = await lanes.callsLastMinute(lane.id, state.nowMs);
  return {
    id: lane.id,
    object: 'lane',
    provider: lane.provider,
    model: lane.model,
    state: laneStanding(state).state,
    ...(presentWait(wait) ?? { reason: null, message: null, until: null }),
    limits: {
      requests_per_minute: limits.requestsPerMinute,
      tokens_per_minute: limits.tokensPerMinute,
      concurrency: limits.concurrency,
      source: limits.source,
    },
    pacing: {
      remaining_requests: remainingOf(budget, 'requests', nowMs),
      remaining_tokens: remainingOf(budget, 'tokens', nowMs),
      next_call_at: {
        interactive: secondsOrNull(budgetWait(budget, 'interactive', nowMs)),
        bulk: secondsOrNull(budgetWait(budget, 'bulk', nowMs)),
      },
      probing: budget?.cold !== undefined,
    },
    in_flight: counts.inFlight,
    queued: counts.queued,
    calls_last_minute: calls,
    refused_last_minute: refused,
    last_refused_at:
      state.lastRefusedAtMs === null ? null : Math.floor(state.lastRefusedAtMs / 1000),
  };
}

function secondsOrNull(ms: number | null): number | null {
  return ms === null ? null : unixSeconds(ms);
}

function unixSeconds(ms: number): number {
  return Math.ceil(ms / 1000);
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
