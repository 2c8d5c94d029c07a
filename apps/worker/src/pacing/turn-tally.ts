import type { PaceReply, PaceTurn } from '@nightshift/shared/redis';
import type { CallReport } from './lane-pacer.ts';
import { readLimits } from './limit-headers.ts';
import type { RedisClock } from './redis-clock.ts';
import { createWindowReader } from './window.ts';

type Told = Pick<
  PaceTurn,
  'called' | 'answered' | 'done' | 'exceeded' | 'returned' | 'news' | 'refused'
>;

/** What happened here since the last turn at the budget, for the next one to tell. */
export interface TurnTally {
  sent(): void;
  /** A call is over. `view`: what the last turn said. */
  ended(report: CallReport, view: PaceReply | null): void;
  /** A reservation that is not used. */
  putBack(epoch: string, tokens: number): void;
  /** Something that should not wait for long. */
  readonly hasNews: boolean;
  /** The headers of some call tell limits. */
  readonly hasLimits: boolean;
  /** All of it; begins anew. */
  take(): Told;
}

const nothing = (): Told => ({
  called: 0,
  answered: 0,
  done: { calls: 0, ms: 0, output: 0, overloaded: 0, refused: 0 },
  exceeded: 0,
});

export function createTurnTally(redisClock: RedisClock, nowMs: () => number): TurnTally {
  const windows = { requests: createWindowReader(), tokens: createWindowReader() };
  let told = nothing();
  let hasNews = false;

  /** Whether the answer told limits. */
  const learnLimits = (
    { pass, sentMs, headers }: CallReport,
    epoch: string | undefined,
  ): boolean => {
    if (headers === null) return false;
    const readings = readLimits(headers, nowMs());
    if (readings.requests === null && readings.tokens === null) return false;
    const requests = readings.requests && windows.requests.read(readings.requests);
    const tokens = readings.tokens && windows.tokens.read(readings.tokens);
    const stamp = pass.stamp ?? { epoch: '', seq: 0, guard: { requests: 0, tokens: 0 } };
    const { news } = told;
    // The newest call knows most; one of another epoch gives way to any of this one.
    const isNewer =
      news === undefined ||
      (stamp.epoch === news.epoch ? stamp.seq >= news.seq : stamp.epoch === epoch);
    if (!isNewer) return true;
    told.news = {
      ...stamp,
      // What was reserved for this call itself is in what the provider says.
      guard: { requests: stamp.guard.requests + 1, tokens: stamp.guard.tokens + pass.tokens },
      sent_at: redisClock.redisAt(sentMs),
      ...(requests !== null && { requests }),
      ...(tokens !== null && { tokens }),
    };
    return true;
  };

  return {
    sent: () => {
      told.called += 1;
    },
    ended: (report, view) => {
      const { pass, usedTokens } = report;
      const { done } = told;
      const tellsLimits = learnLimits(report, view?.epoch);
      if (report.headers !== null) told.answered += 1;
      if (report.refused && !tellsLimits) {
        told.refused = { epoch: pass.stamp?.epoch ?? '', seq: pass.stamp?.seq ?? 0 };
      }
      if (!tellsLimits && usedTokens !== null) {
        told.exceeded += Math.max(0, usedTokens - pass.tokens);
      }
      if (report.succeeded) {
        done.calls += 1;
        done.ms += report.tookMs;
        done.output += report.outputTokens;
      }
      if (report.overloaded) done.overloaded += 1;
      if (report.refused) done.refused += 1;
      // An open lane needs to hear of calls only in its own time.
      hasNews ||= tellsLimits || report.refused || view?.cold === true;
    },
    putBack: (epoch, tokens) => {
      if (told.returned?.epoch !== epoch) told.returned = { epoch, requests: 0, tokens: 0 };
      told.returned.requests += 1;
      told.returned.tokens += tokens;
      hasNews = true;
    },
    get hasNews() {
      return hasNews;
    },
    get hasLimits() {
      return told.news !== undefined;
    },
    take: () => {
      const all = told;
      told = nothing();
      hasNews = false;
      return all;
    },
  };
}
