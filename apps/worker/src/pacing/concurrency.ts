/** What is known of a lane at one instant; the sums only grow. */
export interface LaneReading {
  nowMs: number;
  /** Calls in flight over the whole fleet. */
  inFlight: number;
  /** Calls that succeeded, their time, and the tokens that came back. */
  calls: number;
  ms: number;
  output: number;
  /** 503, 529, and answers that never came. */
  overloaded: number;
  /** Calls that wait inside the engine, where it tells (`vllm:num_requests_waiting`). */
  queued: number | null;
}

/** Calls in flight that a new lane without limits may have: what one worker has by default. */
export const FIRST_LIMIT = 64;
const LEAST = 8;
const MOST = 100_000;
/** A queue of this many keeps an engine busy whatever ends when. */
const QUEUE_WANTED = 4;
const QUEUE_MOST = 8;
/** Where the queue has to be inferred: so many calls more than seem to run at once, and this part of them. */
const MORE_WANTED = 5;
const MORE_SHARE = 0.05;
/** A probe takes this part of the limit, or a few calls less; further down while everything waits. */
const PROBE = 0.7;
const PROBE_FALLING = 0.5;
const PROBE_LESS = 8;
/** A probe lasts a few calls' time; so many pass between two. */
const PROBE_EVERY_MS = 120_000;
const PROBE_EVERY_CALLS = 30;
/** Work that takes so much longer or shorter than before is looked into at once. */
const DEPARTED = 1.3;
/** How much the limit grows while nothing waits: more each time, and at first as much as it may. */
const GROWTH = { step: 0.15, most: 1.5 };
/** Nothing seems to wait when work takes less than this much longer at the limit than at the probe. */
const AS_FAST = 1.04;
const WINDOW_MS = 1000;
const FIRST_MS = 10_000;
/** A window is over when it had so many calls and is so long; the more of them, the less is left to chance. */
const windows = [
  [100, WINDOW_MS],
  [40, 10_000],
  [1, 60_000],
] as const;
/** One with fewer calls than that, in the time of one call. */
const WINDOW_FEW = 10;
/** Without any answer the limit is not raised above this. */
const UNANSWERED_MOST = 256;
/** The part of the limit that a refusal takes away. */
const RELIEF = { first: 0.05, most: 0.5 };
/** What was refused is tried again by and by: the limit may be twice as high after so long. */
const CEILING_DOUBLES_MS = 1_200_000;

/** What outlives the worker that looks after the lane. */
interface Kept {
  limit: number;
  /** False until the first time that more calls at once brought nothing. */
  settled: boolean;
}

/** What a unit of work took, in a window. */
interface WorkTime {
  /** By the time of the calls that ended: exact, but they waited as long as the queue was when they came. */
  byCallMs: number;
  /** By the calls in flight and the work that came of them: follows at once, but is blurred. */
  byFlowMs: number;
}

export interface ConcurrencyController {
  /** The limit from now on, or null to leave it. */
  step(reading: LaneReading): number | null;
  /** For the next one who looks after the lane. */
  readonly kept: string;
}

/**
 * Holds a lane without rate limits at the number of calls at which its engine is full and its queue short: by the
 * engine's own queue where that is told; else by how much work is done at this number and at seven tenths of it. If
 * seven tenths do as much, the others only wait; if they do seven tenths of it, nothing waits, and more may run; in
 * between lies the number of calls that the engine runs at once. Work is output tokens, or calls where none are counted:
 * what was asked must not look like load.
 */
export function createConcurrencyController(before: string | null): ConcurrencyController {
  const state: Kept =
    before === null ? { limit: FIRST_LIMIT, settled: false } : (JSON.parse(before) as Kept);
  let phase: 'holding' | 'probing' = 'holding';
  /** What a unit of work takes at the limit; null until it was seen. */
  let held: WorkTime | null = null;
  /** How often in succession a probe did as much as the limit: from the second time on it looks further down at once. */
  let downs = 0;
  let probeDueMs = -Infinity;
  /** By how much the limit grew when last nothing waited. */
  let growth: number = state.settled ? 1 : GROWTH.most;
  /** What a call takes at best, as far as was seen lately. */
  let latencyMs: number | null = null;
  let from: LaneReading | null = null;
  /** The window counts from here: calls of before still belong to the last limit. */
  let startsAtMs = -Infinity;
  let busy = { sum: 0, readings: 0 };
  let overloadFrom: LaneReading | null = null;
  let relievedAtMs = -Infinity;
  let relief = 0;
  let ceiling: { limit: number; atMs: number } | null = null;

  const clamp = (limit: number): number => Math.min(MOST, Math.max(LEAST, limit));
  const probed = (limit: number): number =>
    clamp(Math.min((downs > 1 ? PROBE_FALLING : PROBE) * limit, limit - PROBE_LESS));
  const begin = (startMs: number): void => {
    from = null;
    startsAtMs = startMs;
    busy = { sum: 0, readings: 0 };
  };
  const current = (): number => (phase === 'probing' ? probed(state.limit) : state.limit);
  const nextProbe = ({ nowMs }: LaneReading): number =>
    nowMs + Math.max(PROBE_EVERY_MS, PROBE_EVERY_CALLS * (latencyMs ?? 0));
  const change = ({ nowMs }: LaneReading, limit: number, next: typeof phase): number => {
    const most =
      ceiling === null ? MOST : ceiling.limit * 2 ** ((nowMs - ceiling.atMs) / CEILING_DOUBLES_MS);
    state.limit = clamp(Math.min(limit, most));
    phase = next;
    begin(nowMs + 1.5 * (latencyMs ?? 0) + WINDOW_MS / 2);
    return current();
  };

  /** Fewer calls while the engine refuses them: a little at first, twice as many each time it goes on. */
  const relieve = (reading: LaneReading): number | null => {
    // What comes back until then was sent before the last change.
    if (reading.nowMs < relievedAtMs + 1.5 * WINDOW_MS) return null;
    overloadFrom ??= reading;
    if (reading.nowMs - overloadFrom.nowMs < WINDOW_MS) return null;
    const bad = reading.overloaded - overloadFrom.overloaded;
    const good = reading.calls - overloadFrom.calls;
    overloadFrom = reading;
    if (bad === 0 || bad < 0.02 * (bad + good)) return null;
    const goesOn = reading.nowMs - relievedAtMs < 5 * WINDOW_MS;
    relief = goesOn ? Math.min(RELIEF.most, 2 * relief) : RELIEF.first;
    ceiling = { limit: (1 - RELIEF.first) * state.limit, atMs: reading.nowMs };
    relievedAtMs = reading.nowMs;
    overloadFrom = null;
    state.settled = true;
    held = null;
    growth = 1;
    probeDueMs = goesOn ? -Infinity : nextProbe(reading);
    return change(reading, (1 - relief) * state.limit, 'holding');
  };

  const byQueue = (reading: LaneReading, queued: number): number | null => {
    if (phase === 'probing') return change(reading, state.limit, 'holding');
    if (queued > QUEUE_MOST) {
      // What was let in before the last change has to drain first.
      if (reading.inFlight > state.limit * 1.05) return null;
      state.settled = true;
      return change(
        reading,
        state.limit - Math.min(queued - QUEUE_WANTED, 0.4 * state.limit),
        phase,
      );
    }
    const isFull = reading.inFlight >= 0.9 * state.limit;
    if (queued >= QUEUE_WANTED || !isFull || reading.nowMs < startsAtMs) return null;
    const more = queued > 0 ? 1 : state.limit * (state.settled ? 0.06 : 0.3);
    state.limit = clamp(state.limit + Math.max(1, more));
    // The next look at the queue must see what this did.
    startsAtMs = reading.nowMs + WINDOW_MS;
    return state.limit;
  };

  const byWork = (reading: LaneReading): number | null => {
    if (reading.nowMs < startsAtMs) return null;
    from ??= reading;
    busy.sum += reading.inFlight;
    busy.readings += 1;
    const inFlight = busy.sum / busy.readings;
    const isFull = inFlight >= 0.8 * current();
    const tookMs = reading.nowMs - from.nowMs;
    const calls = reading.calls - from.calls;
    if (calls === 0) {
      // Calls that are held open for long: nothing says that more of them would wait.
      const isStuck = !state.settled && isFull && tookMs >= FIRST_MS;
      return isStuck && state.limit < UNANSWERED_MOST
        ? change(reading, state.limit * 1.5, 'holding')
        : null;
    }
    const callMs = (reading.ms - from.ms) / calls;
    if (latencyMs === null) {
      // The first answers are the quick ones.
      if (calls < inFlight && tookMs < Math.max(FIRST_MS, 4 * callMs)) return null;
      latencyMs = callMs;
      begin(reading.nowMs);
      return null;
    }
    const [least, wantedMs] = windows.find(([atLeast]) => calls >= atLeast) ?? windows[2];
    if (tookMs < Math.max(wantedMs, (least === 1 ? WINDOW_FEW : 1.5) * latencyMs)) return null;
    latencyMs = Math.min(callMs, 1.1 * latencyMs);
    const work = reading.output - from.output || calls;
    const seen = { byCallMs: (reading.ms - from.ms) / work, byFlowMs: (inFlight * tookMs) / work };
    begin(reading.nowMs);
    if (!isFull) {
      // Too little to do: it says nothing about the limit.
      return phase === 'probing' ? change(reading, state.limit, 'holding') : null;
    }
    return phase === 'probing' ? afterProbe(reading, seen) : whileHolding(reading, seen);
  };

  const whileHolding = (reading: LaneReading, seen: WorkTime): number | null => {
    const hasDeparted = held !== null && ratio(seen.byCallMs, held.byCallMs) > DEPARTED;
    held =
      held === null || hasDeparted
        ? seen
        : {
            byCallMs: 0.7 * held.byCallMs + 0.3 * seen.byCallMs,
            byFlowMs: 0.7 * held.byFlowMs + 0.3 * seen.byFlowMs,
          };
    if (!hasDeparted && reading.nowMs < probeDueMs) return null;
    return change(reading, state.limit, 'probing');
  };

  const afterProbe = (reading: LaneReading, seen: WorkTime): number => {
    const { limit } = state;
    const before = held ?? seen;
    // 1: as fast with more calls at once; what was added: all that the additional calls did was wait.
    const added = limit / current();
    const slower = Math.max(1, before.byCallMs / seen.byCallMs);
    const slowerByFlow = before.byFlowMs / seen.byFlowMs;
    probeDueMs = -Infinity;
    const isCertain = !state.settled || downs > 1 || slower > added ** 0.9;
    if (slowerByFlow > added ** 0.85 && isCertain) {
      // All that was taken away had only waited, and maybe more.
      const next = current();
      growth = 1;
      downs += state.settled ? 1 : 2;
      state.settled = true;
      held = downs > 1 ? seen : null;
      if (held === null) return change(reading, next * (1 + MORE_SHARE) + MORE_WANTED, 'holding');
      return change(reading, next, next > LEAST ? 'probing' : 'holding');
    }
    const wasFalling = downs > 1;
    downs = 0;
    held = null;
    if (wasFalling || (slower < AS_FAST && slowerByFlow > added ** 0.5)) {
      // What was seen at the limit is of calls that came when the queue was longer, or contradicts itself.
      return change(reading, limit, 'holding');
    }
    if (slower < AS_FAST) {
      if (state.settled) growth = Math.min(GROWTH.most, growth + GROWTH.step);
      return change(reading, limit * growth, 'holding');
    }
    state.settled = true;
    growth = 1;
    probeDueMs = nextProbe(reading);
    return change(reading, (limit / slower) * (1 + MORE_SHARE) + MORE_WANTED, 'holding');
  };

  return {
    step: (reading) =>
      relieve(reading) ??
      (reading.queued === null ? byWork(reading) : byQueue(reading, reading.queued)),
    get kept() {
      return JSON.stringify(state);
    },
  };
}

function ratio(a: number, b: number): number {
  return Math.max(a / b, b / a);
}
