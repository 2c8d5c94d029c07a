import type { BatchView, LaneView } from '@nightshift/shared/http';
import { count, duration } from './format.ts';

/** What bounds the speed of one model's requests now. */
export interface LimitInForce {
  model: string;
  state: LaneView['state'];
  /** Why it is not open. */
  reason: string | null;
  /** Unix milliseconds until which it cools, or null. */
  untilMs: number | null;
  requestsPerMinute: number | null;
  tokensPerMinute: number | null;
  concurrency: number | null;
  source: LaneView['limits']['source'];
  inFlight: number;
  /** Calls wait for the budget: the limit is what the speed is. */
  isReached: boolean;
}

/** The limits of the lanes that serve a batch. One of several models does not name them: then those that are busy or shut. */
export function limitsInForce(batch: BatchView, lanes: readonly LaneView[]): LimitInForce[] {
  const serves = (lane: LaneView): boolean =>
    batch.model === null
      ? lane.in_flight + lane.queued.bulk > 0 || lane.state !== 'open'
      : lane.model === batch.model;
  return lanes.filter(serves).map(({ limits, ...lane }) => ({
    model: lane.model,
    state: lane.state,
    reason: lane.reason,
    untilMs: lane.until === null ? null : lane.until * 1000,
    requestsPerMinute: limits.requests_per_minute,
    tokensPerMinute: limits.tokens_per_minute,
    concurrency: limits.concurrency,
    source: limits.source,
    inFlight: lane.in_flight,
    isReached: lane.pacing.next_call_at.bulk !== null,
  }));
}

const SOURCES = {
  headers: "the provider's",
  config: 'configured',
  learned: 'learnt',
  none: '',
} as const satisfies Record<LimitInForce['source'], string>;

/** `gpt-4o: 500 requests/min, 30,000 tokens/min (the provider's), 12 in flight`. @param nowMs unix milliseconds */
export function describeLimit(limit: LimitInForce, nowMs: number): string {
  const { model, state, reason, untilMs } = limit;
  if (state === 'paused') {
    return `${model} is paused by ${reason === 'paused' ? 'an operator' : 'the provider'}`;
  }
  if (state === 'cooling') {
    const left = untilMs === null ? '' : ` for ${duration(untilMs - nowMs)}`;
    return `${model} cools down${left}: rate limit`;
  }
  if (state === 'unreachable') return `${model} does not answer`;
  const limits = [
    limit.requestsPerMinute !== null && `${count(limit.requestsPerMinute)} requests/min`,
    limit.tokensPerMinute !== null && `${count(limit.tokensPerMinute)} tokens/min`,
    limit.concurrency !== null && `${count(limit.concurrency)} at once`,
  ].filter((text) => text !== false);
  const known =
    limits.length === 0 ? 'no limit known' : `${limits.join(', ')} (${SOURCES[limit.source]})`;
  return `${model}: ${known}, ${count(limit.inFlight)} in flight`;
}
