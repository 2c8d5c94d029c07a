import type { Clock } from '@nightshift/shared/clock';
import type { Priority } from '@nightshift/shared/job';
import type { BudgetStore, CallStamp, PaceReply, PaceTurn } from '@nightshift/shared/redis';
import type { AnswerHeaders } from '../provider/index.ts';
import { FIRST_LIMIT } from './concurrency.ts';
import { createRedisClock } from './redis-clock.ts';
import { createTurnTally } from './turn-tally.ts';

/** Waits up to this long are spent where the job is; longer ones send it back to its queue. */
export const SHORT_WAIT_MS = 1000;
/** What was learnt of the lane is asked for again before a call when it is older. */
const STALE_MS = 2000;
/** Between two turns at the budget: while calls need reservations, and while they do not. */
const TURN_MS = { limited: 200, open: 500 };
/** An interactive job does not wait for the next turn; this keeps a burst of them in one. */
const SOON_MS = 10;
const RETRY_MS = 500;
const LEAVING_MS = 300;
const MOST_WANTED = 500;
/** How much work the jobs that wait here for their date are, in time. */
const WAITING_MS = 600;

/** The right to make one call. */
export interface Pass {
  readonly priority: Priority;
  readonly tokens: number;
  /** Null where the lane has no limits: nothing was reserved. */
  readonly stamp: CallStamp | null;
}

/** What a call came to, for the budget. */
export interface CallReport {
  pass: Pass;
  /** When it was sent, on the monotonic clock. */
  sentMs: number;
  tookMs: number;
  /** Null when nobody answered. */
  headers: AnswerHeaders | null;
  refused: boolean;
  /** 503, 529, or no answer in time: more calls at once make it worse. */
  overloaded: boolean;
  succeeded: boolean;
  /** Tokens as the provider counted them, or null. */
  usedTokens: number | null;
  outputTokens: number;
}

/** Decides how many calls at once a lane without limits may have; one worker of the fleet asks it. */
export interface Governor {
  /** Null: leave it as it is. */
  decide(reply: PaceReply, nowMs: number): { limit: number; state: string } | null;
}

export interface LanePacer {
  /** Waits for the right to call; `not_now` when that takes longer than a moment. */
  acquire(priority: Priority, tokens: number): Promise<Pass | 'not_now'>;
  /** For a call that must be made whatever the budget says: the one that tries a paused lane. */
  passFreely(priority: Priority): Pass;
  /** The call was not made. */
  giveBack(pass: Pass): void;
  /** The call is about to be made. */
  sent(pass: Pass): void;
  /** The call is over, whatever came of it. */
  ended(report: CallReport): void;
  /** How many jobs of this priority may wait here beside those that are called. */
  room(priority: Priority): number;
  /** Until when this priority's queue should not be read, on the monotonic clock; null when it should. */
  closedUntil(priority: Priority): number | null;
  /** Whether the lane is held back for now by a cool-down: reservations made before it are void. */
  recall(): void;
  /** The lane changed: ask for what holds now. */
  refresh(): void;
  onChange(listener: () => void): void;
  close(): Promise<void>;
}

interface Waiter {
  priority: Priority;
  tokens: number;
  resolve: (pass: Pass | 'not_now') => void;
  dated: { stamp: CallStamp; timer: NodeJS.Timeout } | null;
}

export interface LanePacerOptions {
  laneId: string;
  workerId: string;
  budgets: BudgetStore;
  clock: Clock;
  random: () => number;
  limits: PaceTurn['limits'];
  governor: Governor;
  onHeaders: (headers: AnswerHeaders) => void;
  onReply: (reply: PaceReply) => void;
  onFailure: (error: unknown) => void;
}

/**
 * One process's part of a lane's budget. Asks for dated reservations for all that waits here in one script call, gives
 * back what it does not use, and tells what the answers said. While the lane has no limits it asks for nothing.
 */
export function createLanePacer(options: LanePacerOptions): LanePacer {
  const { laneId, clock, budgets, random, governor } = options;
  const redisClock = createRedisClock();
  const tally = createTurnTally(redisClock, clock.now);
  // Arrays, as in slots.ts.
  const waiters: Record<Priority, Waiter[]> = { interactive: [], bulk: [] };
  const listeners: (() => void)[] = [];
  const closedUntilMs: Record<Priority, number> = { interactive: -Infinity, bulk: -Infinity };
  let view: PaceReply | null = null;
  let askedAtMs = -Infinity;
  let knownAtMs = -Infinity;
  let retryAtMs = -Infinity;
  let calling = 0;
  let turns = 0;
  let underway: Promise<void> | null = null;
  let timer: NodeJS.Timeout | undefined;
  let dueMs = Infinity;
  let closed = false;
  let decided: PaceTurn['concurrency'];

  const isFresh = (): boolean => view !== null && clock.monotonic() - knownAtMs < STALE_MS;
  const undated = (priority: Priority): Waiter[] =>
    waiters[priority].filter(({ dated }) => dated === null);

  const schedule = (atMs: number): void => {
    const soonestMs = Math.max(atMs, retryAtMs);
    if (closed || soonestMs >= dueMs) return;
    dueMs = soonestMs;
    clearTimeout(timer);
    timer = setTimeout(() => void turn(), Math.max(0, soonestMs - clock.monotonic()));
  };

  /** Plans the next turn by what is waiting, running and not told yet. */
  const plan = (): void => {
    const everyMs = view?.limited === true ? TURN_MS.limited : TURN_MS.open;
    const spacedMs = askedAtMs + everyMs * Math.max(1, (view?.workers ?? 1) / 20);
    const needsView = !isFresh() || view?.limited === true;
    if (needsView && undated('interactive').length > 0) {
      schedule(Math.max(askedAtMs + SOON_MS, closedUntilMs.interactive));
    }
    if (needsView && undated('bulk').length > 0) {
      schedule(isFresh() ? Math.max(spacedMs, closedUntilMs.bulk) : askedAtMs + SOON_MS);
    }
    // Those that wait for this worker's share of the concurrency may have none of it left to them now.
    const isWaiting = waiters.interactive.length + waiters.bulk.length > 0;
    if (tally.hasNews || calling > 0 || (isWaiting && !needsView)) schedule(spacedMs);
    // Who hears of limits must tell the others at once.
    if (tally.hasLimits && view?.limited === false) schedule(askedAtMs + SOON_MS);
    if (tally.hasNews && view?.cold === true) schedule(askedAtMs + SOON_MS);
  };

  const takeTurn = (wanted: readonly Waiter[]): PaceTurn => {
    const given: PaceTurn = {
      worker: options.workerId,
      number: (turns += 1),
      in_flight: calling,
      waiting: waiters.interactive.length + waiters.bulk.length,
      ...tally.take(),
      random: random(),
      limits: options.limits,
      wanted: wanted.map(({ priority, tokens }) => [priority, tokens]),
      governor: true,
      first_concurrency: FIRST_LIMIT,
      ...(decided !== undefined && { concurrency: decided }),
    };
    decided = undefined;
    return given;
  };

  const turn = async (): Promise<void> => {
    clearTimeout(timer);
    dueMs = Infinity;
    if (underway !== null) {
      await underway;
      plan();
      return;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    underway = promise;
    const wanted = [...undated('interactive'), ...undated('bulk')].slice(0, MOST_WANTED);
    const sentMs = clock.monotonic();
    askedAtMs = sentMs;
    try {
      const reply = await budgets.pace(laneId, takeTurn(wanted));
      redisClock.learn(sentMs, clock.monotonic(), reply.nowMs);
      view = reply;
      options.onReply(reply);
      knownAtMs = sentMs;
      decided = governor.decide(reply, clock.monotonic()) ?? undefined;
      apply(reply, wanted);
    } catch (error) {
      // What was told is lost with it: the next answers tell it again.
      options.onFailure(error);
      retryAtMs = clock.monotonic() + RETRY_MS;
    } finally {
      underway = null;
      resolve();
    }
    plan();
    changed();
  };

  const apply = (reply: PaceReply, wanted: readonly Waiter[]): void => {
    const nowMs = clock.monotonic();
    for (const priority of ['interactive', 'bulk'] as const) {
      const again = reply.comesAgainMs[priority];
      closedUntilMs[priority] = again === undefined ? -Infinity : redisClock.monotonicAt(again);
    }
    if (!reply.limited) {
      pump();
      return;
    }
    for (const [at, waiter] of wanted.entries()) {
      const grant = reply.grants[at];
      if (grant == null) continue;
      if (!waiters[waiter.priority].includes(waiter)) {
        tally.putBack(grant.stamp.epoch, waiter.tokens);
        continue;
      }
      const wait = redisClock.monotonicAt(grant.dateMs) - nowMs;
      const timerOfDate = setTimeout(() => release(waiter), Math.max(0, wait));
      waiter.dated = { stamp: grant.stamp, timer: timerOfDate };
    }
    for (const priority of ['interactive', 'bulk'] as const) {
      if (closedUntilMs[priority] - nowMs <= SHORT_WAIT_MS) continue;
      for (const waiter of undated(priority)) dismiss(waiter);
    }
  };

  /** False when it does not wait any more. */
  const remove = (waiter: Waiter): boolean => {
    const own = waiters[waiter.priority];
    const at = own.indexOf(waiter);
    if (at !== -1) own.splice(at, 1);
    return at !== -1;
  };
  const release = (waiter: Waiter): void => {
    const { priority, tokens, dated } = waiter;
    if (!remove(waiter)) return;
    calling += 1;
    waiter.resolve({ priority, tokens, stamp: dated?.stamp ?? null });
  };
  const dismiss = (waiter: Waiter): void => {
    if (remove(waiter)) waiter.resolve('not_now');
  };

  /** Bulk leaves a part of the concurrency to interactive jobs, as of the slots. */
  const free = (priority: Priority): number => {
    if (view === null || view.limited) return 0;
    if (view.share === null) return Infinity;
    const share = priority === 'bulk' ? view.share - Math.floor(view.share * 0.05) : view.share;
    return share - calling;
  };
  /** Lets call what needs no reservation. */
  const pump = (): void => {
    if (!isFresh()) return;
    for (const priority of ['interactive', 'bulk'] as const) {
      const own = waiters[priority];
      while (own[0] !== undefined && free(priority) > 0) release(own[0]);
    }
  };
  const changed = (): void => {
    for (const listener of listeners) listener();
  };

  return {
    acquire: async (priority, tokens) => {
      if (closed) return 'not_now';
      // The common case costs nothing.
      if (isFresh() && waiters[priority].length === 0 && free(priority) > 0) {
        calling += 1;
        return { priority, tokens, stamp: null };
      }
      if (closedUntilMs[priority] - clock.monotonic() > SHORT_WAIT_MS) return 'not_now';
      return new Promise((resolve) => {
        waiters[priority].push({ priority, tokens, resolve, dated: null });
        plan();
      });
    },
    passFreely: (priority) => {
      calling += 1;
      return { priority, tokens: 0, stamp: null };
    },
    giveBack: (pass) => {
      calling -= 1;
      if (pass.stamp !== null) tally.putBack(pass.stamp.epoch, pass.tokens);
      pump();
      plan();
    },
    sent: tally.sent,
    ended: (report) => {
      calling -= 1;
      tally.ended(report, view);
      if (report.headers !== null) options.onHeaders(report.headers);
      pump();
      plan();
    },
    room: (priority) => {
      // What is taken waits here for its turn, a moment at most.
      if (view === null || view.cold) return Infinity;
      const waiting = waiters[priority].length;
      if (!view.limited) {
        return view.share === null ? Infinity : Math.max(0, free(priority)) + 2;
      }
      if (closedUntilMs[priority] - clock.monotonic() > SHORT_WAIT_MS) return 0;
      const ownRate = (view.callsPerMs ?? Infinity) / Math.max(1, view.workers);
      return Math.max(0, Math.ceil(ownRate * WAITING_MS) + 2 - waiting);
    },
    closedUntil: (priority) =>
      closedUntilMs[priority] - clock.monotonic() > SHORT_WAIT_MS ? closedUntilMs[priority] : null,
    recall: () => {
      for (const priority of ['interactive', 'bulk'] as const) {
        for (const waiter of waiters[priority]) {
          if (waiter.dated === null) continue;
          clearTimeout(waiter.dated.timer);
          tally.putBack(waiter.dated.stamp.epoch, waiter.tokens);
          waiter.dated = null;
        }
      }
      plan();
    },
    refresh: () => {
      if (view !== null) schedule(askedAtMs + SOON_MS);
    },
    onChange: (listener) => {
      listeners.push(listener);
    },
    close: async () => {
      if (closed) return;
      for (const waiter of [...waiters.interactive, ...waiters.bulk]) {
        if (waiter.dated !== null) {
          clearTimeout(waiter.dated.timer);
          tally.putBack(waiter.dated.stamp.epoch, waiter.tokens);
        }
        dismiss(waiter);
      }
      closed = true;
      clearTimeout(timer);
      // A courtesy: without it the others find out within seconds. It must not hold up the end when Redis is away.
      const leave = async (): Promise<void> => {
        await underway;
        if (view === null) return;
        await budgets.pace(laneId, { ...takeTurn([]), leaving: true });
      };
      await Promise.race([leave().catch(() => undefined), clock.sleep(LEAVING_MS)]);
    },
  };
}
