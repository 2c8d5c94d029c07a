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
/** The part of its time that a call may spend in the engine's queue, where that has to be inferred. */
const WAIT_WANTED = 0.05;
const PROBE = 0.7;
const PROBE_EVERY_MS = 30_000;
const WINDOW_MS = 1000;
const WINDOW_CALLS = 40;
const WINDOW_LONGEST_MS = 10_000;

/** What outlives the worker that looks after the lane. */
interface Kept {
  limit: number;
  /** Milliseconds for each unit of work with no queue, or null while unknown. */
  baseMs: number | null;
  /** False until the first time that more calls at once brought nothing. */
  settled: boolean;
}

export interface ConcurrencyController {
  /** The limit from now on, or null to leave it. */
  step(reading: LaneReading): number | null;
  /** For the next one who looks after the lane. */
  readonly kept: string;
}

/**
 * Holds a lane without rate limits at the number of calls at which its engine is full and its queue short: by the
 * engine's own queue where that is told; else by what a unit of work takes at this number and at seven tenths of it.
 * If it takes as long there, nothing waits, and more may run; if it takes as much less, all of the difference was
 * waiting. A unit of work is an output token, or a call where none are counted: what was asked must not look like load.
 */
export function createConcurrencyController(before: string | null): ConcurrencyController {
  const state: Kept =
    before === null
      ? { limit: FIRST_LIMIT, baseMs: null, settled: false }
      : (JSON.parse(before) as Kept);
  let phase: 'at_limit' | 'probing' = 'at_limit';
  let atLimitMs: number | null = null;
  let probedAtMs = -Infinity;
  let latencyMs = 100;
  let from: LaneReading | null = null;
  /** The window counts from here: calls of before still belong to the last limit. */
  let startsAtMs = -Infinity;
  let busy = { sum: 0, readings: 0 };
  let overloadFrom: LaneReading | null = null;

  const clamp = (limit: number): number => Math.min(MOST, Math.max(LEAST, limit));
  const begin = (reading: LaneReading, settleMs: number): void => {
    from = null;
    startsAtMs = reading.nowMs + settleMs;
    busy = { sum: 0, readings: 0 };
  };
  const current = (): number => (phase === 'probing' ? clamp(state.limit * PROBE) : state.limit);
  const change = (reading: LaneReading, limit: number, next: typeof phase): number => {
    state.limit = clamp(limit);
    phase = next;
    begin(reading, 1.5 * latencyMs);
    return current();
  };

  const relieve = (reading: LaneReading): number | null => {
    overloadFrom ??= reading;
    if (reading.nowMs - overloadFrom.nowMs < WINDOW_MS) return null;
    const bad = reading.overloaded - overloadFrom.overloaded;
    const good = reading.calls - overloadFrom.calls;
    overloadFrom = reading;
    if (bad === 0 || bad < 0.02 * (bad + good)) return null;
    state.settled = true;
    const most = Math.min(state.limit, Math.max(LEAST, reading.inFlight + bad));
    return change(reading, most * Math.max(0.5, 1 - bad / (bad + good)), 'at_limit');
  };

  const byQueue = (reading: LaneReading, queued: number): number | null => {
    if (phase === 'probing') return change(reading, state.limit, 'at_limit');
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

  const byTime = (reading: LaneReading): number | null => {
    if (reading.nowMs < startsAtMs) return null;
    from ??= reading;
    busy.sum += reading.inFlight;
    busy.readings += 1;
    const took = reading.nowMs - from.nowMs;
    const calls = reading.calls - from.calls;
    const isFull = busy.sum / busy.readings >= 0.8 * current();
    if (calls === 0) {
      // Calls that are held open for long: nothing says that more of them would wait.
      const stuck = !state.settled && isFull && took >= 2 * WINDOW_MS;
      return stuck ? change(reading, state.limit * 1.5, 'at_limit') : null;
    }
    const isOver = took >= Math.max(WINDOW_MS, 1.5 * latencyMs) && calls >= WINDOW_CALLS;
    if (!isOver && took < Math.max(WINDOW_LONGEST_MS, 3 * latencyMs)) return null;
    const ms = reading.ms - from.ms;
    const output = reading.output - from.output;
    latencyMs = ms / calls;
    const unitMs = output > 0 ? ms / output : latencyMs;
    if (!isFull) {
      // Too little to do: it says nothing about the limit.
      begin(reading, 0);
      return phase === 'probing' ? change(reading, state.limit, 'at_limit') : null;
    }
    return phase === 'probing' ? afterProbe(reading, unitMs) : atLimit(reading, unitMs);
  };

  const atLimit = (reading: LaneReading, unitMs: number): number | null => {
    atLimitMs = unitMs;
    if (state.baseMs === null || reading.nowMs - probedAtMs > PROBE_EVERY_MS) {
      return change(reading, state.limit, 'probing');
    }
    const wanted = state.baseMs / unitMs / (1 - WAIT_WANTED);
    return change(
      reading,
      state.limit * Math.min(1.1, Math.max(0.7, 1 + 0.5 * (wanted - 1))),
      'at_limit',
    );
  };

  const afterProbe = (reading: LaneReading, unitMs: number): number => {
    const slower = (atLimitMs ?? unitMs) / unitMs;
    // 0: as fast with more calls at once; 1: all that the additional calls did was wait.
    const waiting = Math.log(Math.max(1, slower)) / Math.log(1 / PROBE);
    if (waiting > 0.75) {
      // The queue is longer than what was taken away: look further down at once.
      state.settled = true;
      state.baseMs = unitMs;
      atLimitMs = unitMs;
      return change(reading, state.limit * PROBE, 'probing');
    }
    probedAtMs = reading.nowMs;
    state.baseMs =
      state.baseMs === null || !state.settled ? unitMs : 0.5 * state.baseMs + 0.5 * unitMs;
    if (waiting < 0.15 && !state.settled) {
      probedAtMs = -Infinity;
      return change(reading, state.limit * 1.5, 'at_limit');
    }
    state.settled = true;
    return change(reading, (state.limit / Math.max(1, slower)) * (1 + WAIT_WANTED), 'at_limit');
  };

  return {
    step: (reading) =>
      relieve(reading) ??
      (reading.queued === null ? byTime(reading) : byQueue(reading, reading.queued)),
    get kept() {
      return JSON.stringify(state);
    },
  };
}
