import { quantile } from '../measure/statistics.ts';
import { allowedBy, earliestAdmissions, type LimitModel } from './limit-model.ts';
import type { ChargedCall } from './provider.ts';

/** How well limits were used, from what the provider let in. */
export interface LimitFigures {
  /** Of the limit that was used most: charged over allowed, from the first call until no job waited any more. */
  utilisation: number;
  /** Until the last answer, over what a caller that wastes nothing would have taken for the same calls. */
  timeOverIdeal: number;
}

/**
 * `calls` in the order of arrival; `startedMs` is the arrival of the first call, refused or not. `brokenOffMs` is when
 * patience ended with jobs left, or null: those waited all that time.
 */
export function limitFigures(
  model: LimitModel,
  calls: readonly ChargedCall[],
  startedMs: number,
  brokenOffMs: number | null,
): LimitFigures {
  const lastAdmittedMs = brokenOffMs ?? latest(calls.map(({ atMs }) => atMs));
  const lastEndedMs = brokenOffMs ?? latest(calls.map(({ endedMs }) => endedMs));
  const allowed = allowedBy(model, lastAdmittedMs - startedMs);
  const tokens = calls.reduce((sum, { chargedTokens }) => sum + chargedTokens, 0);
  const charges = calls.map(({ chargedTokens }) => chargedTokens);
  const ideal = [...earliestAdmissions(model, charges)].map((admittedMs, at) => {
    const { startedMs: begunMs = 0, endedMs = 0 } = calls[at] ?? {};
    // The same call takes the same time, whenever it is let in.
    return admittedMs + endedMs - begunMs;
  });
  return {
    utilisation: Math.max(
      allowed.requests === null ? 0 : calls.length / allowed.requests,
      allowed.tokens === null ? 0 : tokens / allowed.tokens,
    ),
    timeOverIdeal: (lastEndedMs - startedMs) / latest(ideal),
  };
}

/** How well an engine was used. */
export interface EngineFigures {
  /** Answers per second while jobs waited to be called. */
  callsPerSecond: number;
  /** Calls that waited in the engine, on average over the run. */
  meanQueue: number;
}

export function engineFigures(
  calls: readonly ChargedCall[],
  startedMs: number,
  waitingMs: number,
  brokenOffMs: number | null,
): EngineFigures {
  const lastArrivedMs = brokenOffMs ?? latest(calls.map(({ atMs }) => atMs));
  const lastEndedMs = brokenOffMs ?? latest(calls.map(({ endedMs }) => endedMs));
  const ended = calls.filter(({ endedMs }) => endedMs <= lastArrivedMs).length;
  return {
    callsPerSecond: (ended * 1000) / (lastArrivedMs - startedMs),
    meanQueue: waitingMs / (lastEndedMs - startedMs),
  };
}

export interface Waits {
  count: number;
  p50Ms: number;
  p95Ms: number;
  maxMs: number;
}

/** Null when there were none. A job that was never called waited for ever. */
export function waitsOf(
  acceptedMs: ReadonlyMap<string, number>,
  calls: readonly ChargedCall[],
): Waits | null {
  if (acceptedMs.size === 0) return null;
  const calledMs = new Map(calls.map(({ marker, atMs }) => [marker, atMs]));
  const waitsMs = [...acceptedMs].map(([marker, atMs]) =>
    Math.max(0, (calledMs.get(marker) ?? Infinity) - atMs),
  );
  return {
    count: waitsMs.length,
    p50Ms: quantile(waitsMs, 0.5),
    p95Ms: quantile(waitsMs, 0.95),
    maxMs: quantile(waitsMs, 1),
  };
}

/** Not `Math.max(...)`: that takes its arguments on the stack, and there may be a hundred thousand. */
function latest(timesMs: readonly number[]): number {
  return timesMs.reduce((last, atMs) => Math.max(last, atMs), -Infinity);
}
