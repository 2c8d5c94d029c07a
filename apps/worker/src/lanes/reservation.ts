import type { Clock } from '@nightshift/shared/clock';
import type { TokenCounts } from '@nightshift/shared/job';
import type { Outcome } from '../attempt/outcome.ts';
import type { Reservation } from '../attempt/run-attempt.ts';
import type { LanePacer, Pass } from '../pacing/lane-pacer.ts';
import type { TokenNeeds } from '../pacing/token-needs.ts';
import type { ProviderAnswer } from '../provider/index.ts';

/** The right to make one call. Its result goes to the lane's budget. */
export function createReservation({
  pass,
  tokens,
  isProbe,
  timeoutMs,
  pacer,
  needs,
  clock,
  onPark,
  onEnd,
}: {
  pass: Pass;
  tokens: TokenCounts | null;
  isProbe: boolean;
  timeoutMs: number | null;
  pacer: LanePacer;
  needs: TokenNeeds;
  clock: Clock;
  onPark: () => void;
  /** Called once, with the outcome of the call, or null if no call came back. */
  onEnd: (outcome: Outcome['kind'] | null) => Promise<void>;
}): Reservation {
  let sentMs: number | null = null;
  let isOver = false;
  let isEnded = false;
  const over = (outcome: Outcome | null, answer: ProviderAnswer | null, isTelling = true): void => {
    if (isOver) return;
    isOver = true;
    if (sentMs === null) pacer.giveBack(pass);
    else
      pacer.ended({
        pass,
        sentMs,
        tookMs: clock.monotonic() - sentMs,
        ...lessonOf(outcome, answer, isTelling),
      });
  };
  return {
    isProbe,
    timeoutMs,
    sent: () => {
      sentMs = clock.monotonic();
      pacer.sent(pass);
    },
    heard: (outcome, answer, isTelling) => {
      if (outcome.kind === 'succeeded' && outcome.usage !== null)
        needs.learn(tokens, outcome.usage);
      over(outcome, answer, isTelling);
    },
    park: onPark,
    end: async (outcome) => {
      if (isEnded) return;
      isEnded = true;
      over(null, null);
      await onEnd(outcome);
    },
  };
}

/** What the budget learns from a call. */
function lessonOf(outcome: Outcome | null, answer: ProviderAnswer | null, isTelling: boolean) {
  const headers = answer?.kind === 'answered' ? answer.headers : null;
  const status = answer?.kind === 'answered' ? answer.status : null;
  const usage = outcome?.kind === 'succeeded' ? outcome.usage : null;
  const isRefused = isTelling && outcome?.kind === 'rate_limited';
  const isLate = outcome?.kind === 'retryable' && outcome.code === 'request_timeout';
  return {
    headers,
    refused: isRefused,
    overloaded: isTelling && (isRefused || isLate || status === 503 || status === 529),
    succeeded: outcome?.kind === 'succeeded',
    usedTokens: usage?.totalTokens ?? null,
    outputTokens: usage?.outputTokens ?? 0,
  };
}
