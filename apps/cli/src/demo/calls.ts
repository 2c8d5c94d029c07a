import type { LedgerEntry } from '@nightshift/simulator';

/** What the provider counted, told apart by why a request was called again. */
export interface CallCounts {
  total: number;
  first: number;
  /** After a 429, which is not charged as an attempt. */
  afterRefusal: number;
  /** After an answer that is worth another attempt. */
  afterError: number;
  /** After a call that was cut short, or whose answer was lost, because its worker died. */
  afterDeath: number;
  refused: number;
}

/** One call as the provider's ledger has it. */
export type Call = Pick<
  LedgerEntry,
  'n' | 'marker' | 'at_ms' | 'ended_at_ms' | 'outcome' | 'response_id'
>;

/** When a worker was killed. Unix milliseconds. */
export interface Death {
  atMs: number;
}

/** The calls of each request, oldest first. */
export function callsByKey(ledger: readonly Call[]): Map<string, Call[]> {
  return Map.groupBy(
    ledger.filter(({ marker }) => marker !== null),
    ({ marker }) => String(marker),
  );
}

export function countCalls(ledger: readonly Call[]): CallCounts {
  const counts = { total: 0, first: 0, afterRefusal: 0, afterError: 0, afterDeath: 0, refused: 0 };
  for (const calls of callsByKey(ledger).values()) {
    for (const [index, call] of calls.entries()) {
      const before = calls[index - 1]?.outcome;
      counts.total += 1;
      if (call.outcome === 'rate_limited') counts.refused += 1;
      if (before === undefined) counts.first += 1;
      else if (before === 'rate_limited') counts.afterRefusal += 1;
      else if (before === 'error' || before === 'broken') counts.afterError += 1;
      else counts.afterDeath += 1;
    }
  }
  return counts;
}

/**
 * The requests whose call was cut short by a death, and how long after it each was called again: null while it was
 * not.
 */
export function takenOver(
  ledger: readonly Call[],
  { atMs }: Death,
  except: ReadonlySet<string> = new Set(),
): Map<string, number | null> {
  const requests = new Map<string, number | null>();
  for (const [key, calls] of callsByKey(ledger)) {
    if (except.has(key)) continue;
    const cutAt = calls.findIndex(
      (call) =>
        call.outcome === 'aborted' &&
        call.at_ms <= atMs &&
        call.ended_at_ms !== null &&
        call.ended_at_ms >= atMs,
    );
    if (cutAt < 0) continue;
    const next = calls[cutAt + 1];
    requests.set(key, next === undefined ? null : next.at_ms - atMs);
  }
  return requests;
}

/** An answer that came in the last moment before a death may not have been on record yet. */
const RECORDED_WITHIN_MS = 1000;

/** Calls that nobody should have made: of a request that was answered, and of one whose call was still going on. */
export function findStrangeCalls(ledger: readonly Call[], death: Death | null): string[] {
  const problems: string[] = [];
  for (const [key, calls] of callsByKey(ledger)) {
    for (const [index, call] of calls.entries()) {
      const before = calls[index - 1];
      if (before === undefined || isWorthAnother(before)) continue;
      const wasCut =
        death !== null &&
        before.at_ms <= death.atMs &&
        (before.ended_at_ms ?? Infinity) >= death.atMs - RECORDED_WITHIN_MS;
      if (!wasCut) {
        problems.push(
          `${key} was called again (call ${call.n}) after call ${before.n}, which was ${before.outcome}`,
        );
      }
    }
  }
  return problems;
}

const isWorthAnother = ({ outcome }: Call): boolean =>
  outcome === 'rate_limited' || outcome === 'error' || outcome === 'broken';
