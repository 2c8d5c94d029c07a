import type { LedgerEntry } from '@nightshift/simulator';

/** What the provider counted, told apart by why a job was called again. */
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
  'n' | 'marker' | 'at_ms' | 'ended_at_ms' | 'outcome' | 'client_aborted' | 'response_id'
>;

/** The calls of each job, oldest first. */
export function callsByKey(ledger: readonly Call[]): Map<string, Call[]> {
  const byKey = new Map<string, Call[]>();
  for (const call of ledger) {
    if (call.marker === null) continue;
    const calls = byKey.get(call.marker);
    if (calls) calls.push(call);
    else byKey.set(call.marker, [call]);
  }
  return byKey;
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
 * The jobs whose call was cut short by a death at that instant, and how long after it each was called again: null
 * while it was not.
 */
export function takenOver(
  ledger: readonly Call[],
  diedAtMs: number,
  except: ReadonlySet<string>,
): Map<string, number | null> {
  const jobs = new Map<string, number | null>();
  for (const [key, calls] of callsByKey(ledger)) {
    if (except.has(key)) continue;
    const cutAt = calls.findIndex(
      (call) =>
        call.outcome === 'aborted' &&
        call.at_ms <= diedAtMs &&
        call.ended_at_ms !== null &&
        call.ended_at_ms >= diedAtMs,
    );
    if (cutAt < 0) continue;
    const next = calls[cutAt + 1];
    jobs.set(key, next === undefined ? null : next.at_ms - diedAtMs);
  }
  return jobs;
}

/** How long each job waited for its first call, in milliseconds. */
export function waits(
  ledger: readonly Call[],
  submittedAtMs: ReadonlyMap<string, number>,
): Map<string, number> {
  const waited = new Map<string, number>();
  for (const [key, calls] of callsByKey(ledger)) {
    const from = submittedAtMs.get(key);
    const first = calls[0];
    if (from !== undefined && first) waited.set(key, Math.max(0, first.at_ms - from));
  }
  return waited;
}
