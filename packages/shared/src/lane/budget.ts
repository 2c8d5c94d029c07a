import { z } from 'zod';

/**
 * One of a lane's two limits as the fleet believes it. `level` is what is left at the budget's `at`, with every
 * reservation taken off, also those that lie ahead: it may be negative. `rate` is per millisecond.
 */
const dimension = z.object({
  /** As the provider or the configuration states it, in whatever window it has. */
  limit: z.number(),
  rate: z.number(),
  capacity: z.number(),
  level: z.number(),
  source: z.enum(['headers', 'config']),
});

/** What `pace-lane.lua` keeps; fields that only the script needs are left out. */
export const laneBudgetSchema = z.object({
  epoch: z.string(),
  at: z.number(),
  requests: dimension.optional(),
  tokens: dimension.optional(),
  /** Calls per millisecond, where the provider refuses without telling its limits. */
  learned: z.object({ rate: z.number() }).optional(),
  cold: z.object({}).optional(),
  /** Calls in flight that the whole fleet may have. */
  concurrency: z.number().optional(),
  /** When calls that were not granted their reservation may come, by priority; in the past when none wait. */
  next_at: z.object({ interactive: z.number(), bulk: z.number() }),
});
export type LaneBudget = z.infer<typeof laneBudgetSchema>;

/**
 * Whether a lane may have a limit of tokens: then what a request will be charged is counted before it is called. True
 * while nobody has called, and nothing is known.
 */
export function mayLimitTokens(budget: LaneBudget | null): boolean {
  return budget === null || budget.cold !== undefined || budget.tokens !== undefined;
}

/** What is left now of a limit, as far as the fleet knows; reservations that lie ahead are taken off. */
export function remainingOf(
  budget: LaneBudget | null,
  name: 'requests' | 'tokens',
  nowMs: number,
): number | null {
  const limit = budget?.[name];
  if (budget == null || limit === undefined) return null;
  const level = limit.level + limit.rate * Math.max(0, nowMs - budget.at);
  return Math.max(0, Math.floor(Math.min(limit.capacity, level)));
}

/** A call that was refused its reservation comes back within this. */
const WAITING_MS = 2000;

/** Until when calls of a priority wait for their budget, unix milliseconds; null while none waits. */
export function budgetWait(
  budget: LaneBudget | null,
  priority: 'interactive' | 'bulk',
  nowMs: number,
): number | null {
  const nextMs = budget?.next_at[priority] ?? 0;
  return nextMs > nowMs - WAITING_MS ? Math.max(nextMs, nowMs) : null;
}

export type LimitSource = 'headers' | 'config' | 'learned' | 'none';

/** A lane's limits in the words of `GET /v1/lanes`. */
export interface LaneLimits {
  requestsPerMinute: number | null;
  tokensPerMinute: number | null;
  concurrency: number | null;
  source: LimitSource;
}

export function limitsOf(budget: LaneBudget | null): LaneLimits {
  const { requests, tokens, learned, concurrency } = budget ?? {};
  const perMinute = (rate: number | undefined): number | null =>
    rate === undefined ? null : Math.round(rate * 60_000 * 1000) / 1000;
  return {
    requestsPerMinute: perMinute(requests?.rate ?? learned?.rate),
    tokensPerMinute: perMinute(tokens?.rate),
    concurrency: concurrency === undefined ? null : Math.floor(concurrency),
    source: sourceOf(budget),
  };
}

function sourceOf(budget: LaneBudget | null): LimitSource {
  const sources = new Set([budget?.requests?.source, budget?.tokens?.source]);
  if (sources.has('headers')) return 'headers';
  if (sources.has('config')) return 'config';
  return budget?.learned === undefined && budget?.concurrency === undefined ? 'none' : 'learned';
}
