import type { Clock } from '@nightshift/shared/clock';
import type { Priority } from '@nightshift/shared/job';
import type { BudgetStore, PaceReply, PaceTurn } from '@nightshift/shared/redis';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createLanePacer, type CallReport, type Pass } from '../../src/pacing/lane-pacer.ts';

/** Redis' clock and this host's are hours apart on purpose. */
const REDIS_AHEAD_MS = 7_200_000;

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

const pass = async (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

const clock: Clock = {
  now: () => Date.now(),
  monotonic: () => Date.now(),
  // On the fake timers: no time passes but by pass().
  sleep: async (ms) =>
    new Promise((resolve) => {
      setTimeout(resolve, ms);
    }),
};

type Answer = (turn: PaceTurn, nowMs: number) => Partial<PaceReply> | Promise<Partial<PaceReply>>;

/** A pacer over a store that answers as told, from the next turn on as `answers` says then. */
function setUp(first: Answer) {
  const turns: (PaceTurn & { atMs: number })[] = [];
  const failures: unknown[] = [];
  let answer = first;
  const pace = async (_laneId: string, turn: PaceTurn): Promise<PaceReply> => {
    turns.push({ ...turn, atMs: Date.now() });
    const nowMs = Date.now() + REDIS_AHEAD_MS;
    return {
      nowMs,
      epoch: 'e',
      limited: false,
      cold: false,
      grants: [],
      comesAgainMs: {},
      workers: 1,
      inFlight: turn.in_flight,
      share: null,
      concurrency: null,
      callsPerMs: null,
      requestsPerMinute: null,
      tokensPerMinute: null,
      governs: null,
      ...(await answer(turn, nowMs)),
    };
  };
  const pacer = createLanePacer({
    laneId: 'lane',
    workerId: 'worker',
    budgets: { pace } satisfies BudgetStore,
    clock,
    random: () => 0.5,
    limits: {},
    governor: { decide: () => null },
    onHeaders: () => undefined,
    onReply: () => undefined,
    onFailure: (error) => failures.push(error),
  });
  const acquire = (priority: Priority, tokens = 1) => {
    const asked = { result: undefined as Pass | 'not_now' | undefined, atMs: 0 };
    void pacer.acquire(priority, tokens).then((result) => {
      asked.result = result;
      asked.atMs = Date.now();
      return result;
    });
    return asked;
  };
  return {
    pacer,
    turns,
    failures,
    acquire,
    answers: (next: Answer) => {
      answer = next;
    },
  };
}

const open: Answer = () => ({});
const guard = { requests: 0, tokens: 0 };

/** Grants all that is asked for, each so long after the one before. */
const granting =
  (spacingMs: number, firstMs = 0): Answer =>
  (turn, nowMs) => ({
    limited: true,
    callsPerMs: 1,
    grants: turn.wanted.map((_wanted, at) => ({
      dateMs: nowMs + firstMs + at * spacingMs,
      stamp: { epoch: 'e', seq: at + 1, guard },
    })),
  });
const denying =
  (waitMs: number): Answer =>
  (turn, nowMs) => ({
    limited: true,
    grants: turn.wanted.map(() => null),
    comesAgainMs: Object.fromEntries(turn.wanted.map(([priority]) => [priority, nowMs + waitMs])),
  });

const report = (of: Pass, more: Partial<CallReport> = {}): CallReport => ({
  pass: of,
  sentMs: Date.now(),
  tookMs: 10,
  headers: new Headers(),
  refused: false,
  overloaded: false,
  succeeded: true,
  usedTokens: null,
  outputTokens: 1,
  ...more,
});
const passOf = (asked: { result: Pass | 'not_now' | undefined }): Pass => {
  if (asked.result === undefined || asked.result === 'not_now') throw new Error(`${asked.result}`);
  return asked.result;
};

describe('a lane without limits', () => {
  it('costs a call no round trip while what is known is fresh', async () => {
    const { pacer, turns, acquire } = setUp(open);
    const first = acquire('bulk');
    await pass(10);
    expect(passOf(first).stamp).toBeNull();
    expect(turns).toHaveLength(1);
    for (let call = 0; call < 100; call += 1) {
      const one = acquire(call % 2 === 0 ? 'bulk' : 'interactive');
      await pass(0);
      pacer.sent(passOf(one));
      pacer.ended(report(passOf(one)));
    }
    expect(turns).toHaveLength(1);
    // The calls are told in their own time, and once.
    pacer.sent(passOf(first));
    await pass(2000);
    pacer.ended(report(passOf(first)));
    await pass(10_000);
    expect(turns.reduce((sum, { called }) => sum + called, 0)).toBe(101);
    expect(turns.length).toBeLessThan(10);
  });

  it('is asked about again before a call once that is long ago', async () => {
    const { pacer, turns, acquire } = setUp(open);
    pacer.giveBack(passOf(await settledAt(acquire('bulk'))));
    await pass(60_000);
    const before = turns.length;
    const late = acquire('bulk');
    await pass(10);
    expect(turns).toHaveLength(before + 1);
    passOf(late);
  });

  it('with a limit of concurrency: no more at once than its share, bulk a little less, and the next as one ends', async () => {
    const { pacer, acquire } = setUp(() => ({ share: 20, concurrency: 20 }));
    const bulk = Array.from({ length: 30 }, () => acquire('bulk'));
    await pass(10);
    const called = bulk.filter(({ result }) => result !== undefined);
    expect(called).toHaveLength(19);
    const interactive = [acquire('interactive'), acquire('interactive')];
    await pass(0);
    expect(interactive.map(({ result }) => result !== undefined)).toEqual([true, false]);
    pacer.ended(report(passOf(called[0]!)));
    await pass(0);
    expect(interactive[1]?.result).toBeDefined();
  });

  it('asks again for those whose share was nothing', async () => {
    const { acquire, answers } = setUp(() => ({ share: 0, concurrency: 1, workers: 2 }));
    const waiting = acquire('bulk');
    await pass(1500);
    expect(waiting.result).toBeUndefined();
    answers(() => ({ share: 1, concurrency: 1, workers: 2 }));
    await pass(1000);
    passOf(waiting);
  });
});

async function settledAt<T extends { result: unknown }>(asked: T): Promise<T> {
  await pass(50);
  return asked;
}

describe('a lane with limits', () => {
  it('asks for all that waits in one turn, and calls each at its date', async () => {
    const { turns, acquire } = setUp(granting(7));
    const asked = Array.from({ length: 20 }, () => acquire('bulk', 3));
    await pass(500);
    expect(turns[0]?.wanted).toHaveLength(20);
    const [first] = asked;
    for (const [at, { atMs }] of asked.entries()) {
      expect(Math.abs(atMs - first!.atMs - 7 * at)).toBeLessThanOrEqual(2);
    }
    // Only the calls in flight are told from then on.
    expect(turns.slice(1).every(({ wanted }) => wanted.length === 0)).toBe(true);
  });

  it('bulk waits for the next turn, an interactive job asks at once', async () => {
    const { turns, acquire } = setUp(granting(0));
    acquire('bulk');
    await pass(20);
    expect(turns).toHaveLength(1);
    await pass(20);
    acquire('bulk');
    await pass(20);
    expect(turns).toHaveLength(1);
    const urgent = acquire('interactive');
    await pass(10);
    expect(turns).toHaveLength(2);
    expect(turns[1]?.wanted).toEqual([
      ['interactive', 1],
      ['bulk', 1],
    ]);
    passOf(urgent);
  });

  it('sends those back whose date is far, and closes their queue until then', async () => {
    const { pacer, turns, acquire } = setUp(denying(5000));
    const asked = acquire('bulk');
    await pass(10);
    expect(asked.result).toBe('not_now');
    expect(pacer.room('bulk')).toBe(0);
    expect(pacer.closedUntil('bulk')! - Date.now()).toBeGreaterThan(4900);
    expect(pacer.closedUntil('interactive')).toBeNull();
    // Until it opens nobody is asked for its sake.
    const before = turns.length;
    expect(await pacer.acquire('bulk', 1)).toBe('not_now');
    await pass(3000);
    expect(turns).toHaveLength(before);
    expect(pacer.closedUntil('bulk')).not.toBeNull();
    await pass(1100);
    expect(pacer.closedUntil('bulk')).toBeNull();
  });

  it('keeps those whose date is near, and asks again for them at that time', async () => {
    const { turns, acquire, answers } = setUp(denying(600));
    const asked = acquire('bulk');
    await pass(10);
    expect(asked.result).toBeUndefined();
    answers(granting(0));
    await pass(580);
    expect(turns).toHaveLength(1);
    await pass(40);
    expect(turns).toHaveLength(2);
    passOf(asked);
  });

  it('gives dated reservations back on recall, and asks for new ones', async () => {
    const { pacer, turns, acquire, answers } = setUp(granting(100, 300));
    const asked = [acquire('bulk', 5), acquire('bulk', 6)];
    await pass(10);
    answers(granting(0, 2000));
    pacer.recall();
    await pass(1000);
    expect(asked.every(({ result }) => result === undefined)).toBe(true);
    expect(turns[1]?.returned).toEqual({ epoch: 'e', requests: 2, tokens: 11 });
    expect(turns[1]?.wanted).toHaveLength(2);
    await pass(2000);
    expect(asked.every(({ result }) => result !== undefined)).toBe(true);
  });

  it('tells what the newest answer said, and reserves no more for calls that were not made', async () => {
    const { pacer, turns, acquire } = setUp(granting(1));
    const asked = Array.from({ length: 4 }, () => acquire('bulk', 10));
    await pass(50);
    const headers = (remaining: number): Headers =>
      new Headers({
        'x-ratelimit-limit-requests': '100',
        'x-ratelimit-remaining-requests': String(remaining),
        'x-ratelimit-reset-requests': '6s',
      });
    for (const { result } of asked) pacer.sent(result as Pass);
    // The answers come in another order.
    pacer.ended(report(passOf(asked[2]!), { headers: headers(97) }));
    pacer.ended(report(passOf(asked[1]!), { headers: headers(98) }));
    pacer.giveBack(passOf(asked[3]!));
    await pass(1000);
    const told = turns.filter(({ news }) => news !== undefined);
    expect(told).toHaveLength(1);
    expect(told[0]?.news).toMatchObject({ seq: 3, guard: { requests: 1, tokens: 10 } });
    expect(told[0]?.news?.requests?.remaining).toBe(97);
    expect(told[0]?.returned).toEqual({ epoch: 'e', requests: 1, tokens: 10 });
    expect(told[0]!.news!.sent_at - REDIS_AHEAD_MS - Date.now()).toBeLessThan(0);
  });
});

describe('closing', () => {
  it('turns those away who wait, gives back what they had, and says that it leaves', async () => {
    const { pacer, turns, acquire } = setUp(granting(1000, 300));
    const asked = [acquire('bulk', 4), acquire('interactive', 5)];
    await pass(10);
    await pacer.close();
    await pass(0);
    expect(asked.map(({ result }) => result)).toEqual(['not_now', 'not_now']);
    expect(turns.at(-1)).toMatchObject({
      leaving: true,
      waiting: 0,
      returned: { epoch: 'e', requests: 2, tokens: 9 },
    });
    const { length } = turns;
    expect(await pacer.acquire('bulk', 1)).toBe('not_now');
    await pacer.close();
    await pass(60_000);
    expect(turns).toHaveLength(length);
  });

  it('does not hang on a store that never answers', async () => {
    const { pacer, acquire } = setUp(async () => new Promise<never>(() => undefined));
    const asked = acquire('bulk');
    await pass(10);
    let isClosed = false;
    void pacer.close().then(() => (isClosed = true));
    await pass(1000);
    expect(isClosed).toBe(true);
    expect(asked.result).toBe('not_now');
  });

  it('gives back what is granted meanwhile', async () => {
    const { pacer, turns, acquire } = setUp(async (turn, nowMs) => {
      await clock.sleep(100);
      return granting(0)(turn, nowMs);
    });
    acquire('bulk', 7);
    await pass(20);
    const closing = pacer.close();
    await pass(1000);
    await closing;
    expect(turns.at(-1)?.returned).toEqual({ epoch: 'e', requests: 1, tokens: 7 });
  });
});

describe('a store that fails', () => {
  it('is asked about twice a second, however many wait, and the wait ends with it', async () => {
    const { pacer, turns, failures, acquire, answers } = setUp(() => {
      throw new Error('away');
    });
    const asked = Array.from({ length: 100 }, (_, at) =>
      acquire(at % 2 === 0 ? 'bulk' : 'interactive'),
    );
    for (let at = 0; at < 100; at += 1) {
      await pass(100);
      pacer.refresh();
    }
    expect(turns.length).toBeGreaterThanOrEqual(15);
    expect(turns.length).toBeLessThanOrEqual(21);
    expect(failures).toHaveLength(turns.length);
    answers(granting(0));
    await pass(600);
    expect(asked.every(({ result }) => result !== undefined)).toBe(true);
  });

  it('makes nothing that was known any younger', async () => {
    const { pacer, acquire, answers } = setUp(open);
    pacer.giveBack(passOf(await settledAt(acquire('bulk'))));
    answers(() => {
      throw new Error('away');
    });
    const running = passOf(await settledAt(acquire('bulk')));
    await pass(10_000);
    const late = acquire('bulk');
    await pass(5000);
    expect(late.result).toBeUndefined();
    answers(open);
    await pass(600);
    passOf(late);
    pacer.ended(report(running));
  });
});

describe('the count of calls in flight', () => {
  const step = fc.oneof(
    fc.record({
      kind: fc.constant('acquire' as const),
      priority: fc.constantFrom<Priority>('bulk', 'interactive'),
    }),
    fc.record({ kind: fc.constant('give_back' as const), which: fc.nat() }),
    fc.record({
      kind: fc.constant('end' as const),
      which: fc.nat(),
      refused: fc.boolean(),
      answered: fc.boolean(),
    }),
    fc.record({ kind: fc.constant('pass' as const), ms: fc.integer({ min: 0, max: 1500 }) }),
    fc.record({ kind: fc.constantFrom('recall' as const, 'refresh' as const, 'probe' as const) }),
    fc.record({
      kind: fc.constant('answers' as const),
      answer: fc.constantFrom<Answer>(
        open,
        granting(20),
        granting(0, 400),
        denying(500),
        denying(5000),
        () => ({ share: 2, concurrency: 4 }),
        () => ({ share: 0, concurrency: 1 }),
        ({ wanted }) => ({ limited: true, cold: true, grants: wanted.map(() => null) }),
        () => {
          throw new Error('away');
        },
      ),
    }),
  );

  it('comes back to 0 whatever happens in whatever order, and nobody waits for ever', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const { pacer, turns, acquire, answers } = setUp(open);
        const asked: ReturnType<typeof acquire>[] = [];
        const over = new Set<Pass>();
        const probes: Pass[] = [];
        const running = (): Pass[] =>
          [...asked.map(({ result }) => result), ...probes].filter(
            (each): each is Pass => typeof each === 'object' && !over.has(each),
          );
        const pick = (which: number): Pass | undefined => running()[which % running().length];
        for (const one of steps) {
          const which = 'which' in one ? pick(one.which) : undefined;
          if (one.kind === 'acquire') asked.push(acquire(one.priority));
          if (one.kind === 'pass') await pass(one.ms);
          if (one.kind === 'recall') pacer.recall();
          if (one.kind === 'refresh') pacer.refresh();
          if (one.kind === 'probe') probes.push(pacer.passFreely('bulk'));
          if (one.kind === 'answers') answers(one.answer);
          if (which === undefined) continue;
          over.add(which);
          if (one.kind === 'give_back') pacer.giveBack(which);
          if (one.kind === 'end') {
            pacer.sent(which);
            const headers = one.answered ? new Headers() : null;
            pacer.ended(report(which, { refused: one.refused, headers }));
          }
        }
        answers(open);
        for (let at = 0; at < 20; at += 1) {
          await pass(1000);
          for (const each of running()) {
            over.add(each);
            pacer.sent(each);
            pacer.ended(report(each));
          }
        }
        expect(asked.filter(({ result }) => result === undefined)).toEqual([]);
        const closing = pacer.close();
        await pass(1000);
        await closing;
        if (turns.length > 0) expect(turns.at(-1)?.in_flight).toBe(0);
        expect(vi.getTimerCount()).toBe(0);
      }),
      { numRuns: 200 },
    );
  });
});
