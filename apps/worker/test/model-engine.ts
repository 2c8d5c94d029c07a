import { createConcurrencyController } from '../src/pacing/concurrency.ts';

/** An engine as it behaves from some instant on. */
export interface EngineSettings {
  slots: number;
  /** Mean time for each output token with no queue. */
  msPerToken: number;
  /** Mean number of tokens in an answer. */
  tokens: number;
  /** Calls that may queue before it refuses with 503. */
  queueLimit: number;
}

export interface EngineRun {
  seconds: number;
  /** The settings from each second on, the first from 0. */
  settings: readonly [fromSecond: number, settings: EngineSettings][];
  tellsQueue: boolean;
  /** Stretches that are judged: the controller has had its warm-up before each. */
  judged: readonly [fromSecond: number, toSecond: number][];
  /** Jobs that are there to be called; without end when left out. */
  demand?: number;
  random: () => number;
}

export interface EngineJudgement {
  /** The part of the slots' time that was used: what the best fixed concurrency uses is all of it. */
  throughput: number;
  meanQueue: number;
  refusedShare: number;
  limit: number;
}

const READ_EVERY_MS = 500;
/** A new limit is told to the other workers with their next turn. */
const LAG_MS = 500;
const REFUSAL_MS = 100;
/** Of the length of answers, and of the time for a token. */
const SIGMA = { tokens: 0.5, ms: 0.2 };

interface Call {
  startedMs: number;
  tokens: number;
  serviceMs: number;
}

/**
 * A controller and an engine in virtual time: as many calls in flight as the limit allows, slots that take them first
 * come first served, times that are log-normal around the length of the answer.
 */
export function runEngine(run: EngineRun): EngineJudgement[] {
  const { random } = run;
  const controller = createConcurrencyController(null);
  const queue: Call[] = [];
  const events = createEvents();
  const sums = { calls: 0, ms: 0, output: 0, overloaded: 0 };
  const judgements = run.judged.map(() => ({
    busyMs: 0,
    queuedMs: 0,
    slotMs: 0,
    calls: 0,
    refused: 0,
  }));
  let nowMs = 0;
  let settings = run.settings[0]![1];
  let limit = 64;
  let inFlight = 0;
  let running = 0;

  const normal = (): number =>
    Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const logNormal = (mean: number, sigma: number): number =>
    mean * Math.exp(sigma * normal() - sigma ** 2 / 2);
  const judging = () => {
    const at = run.judged.findIndex(([from, to]) => nowMs >= from * 1000 && nowMs < to * 1000);
    return judgements[at];
  };

  const start = (call: Call): void => {
    running += 1;
    events.add(nowMs + call.serviceMs, () => {
      running -= 1;
      inFlight -= 1;
      sums.calls += 1;
      sums.ms += nowMs - call.startedMs;
      sums.output += call.tokens;
      serve();
      fill();
    });
  };
  const serve = (): void => {
    while (queue.length > 0 && running < settings.slots) start(queue.shift()!);
  };
  const fill = (): void => {
    while (inFlight < Math.min(Math.floor(limit), run.demand ?? Infinity)) {
      inFlight += 1;
      const counted = judging();
      if (counted) counted.calls += 1;
      if (running >= settings.slots && queue.length >= settings.queueLimit) {
        if (counted) counted.refused += 1;
        events.add(nowMs + REFUSAL_MS, () => {
          inFlight -= 1;
          sums.overloaded += 1;
          fill();
        });
        continue;
      }
      const tokens = Math.max(1, Math.round(logNormal(settings.tokens, SIGMA.tokens)));
      queue.push({
        startedMs: nowMs,
        tokens,
        serviceMs: logNormal(tokens * settings.msPerToken, SIGMA.ms),
      });
      serve();
    }
  };
  const read = (): void => {
    const queued = run.tellsQueue ? queue.length : null;
    const next = controller.step({ nowMs, inFlight, ...sums, queued });
    if (next !== null) {
      events.add(nowMs + LAG_MS, () => {
        limit = next;
        fill();
      });
    }
    events.add(nowMs + READ_EVERY_MS, read);
  };

  for (const [fromSecond, later] of run.settings) {
    events.add(fromSecond * 1000, () => {
      settings = later;
      serve();
      fill();
    });
  }
  events.add(0, read);
  for (;;) {
    const event = events.next();
    if (event.atMs > run.seconds * 1000) break;
    const counted = judging();
    if (counted) {
      const ms = event.atMs - nowMs;
      counted.busyMs += Math.min(running, settings.slots) * ms;
      counted.slotMs += settings.slots * ms;
      counted.queuedMs += queue.length * ms;
    }
    nowMs = event.atMs;
    event.happen();
  }
  return judgements.map(({ busyMs, queuedMs, slotMs, calls, refused }) => ({
    throughput: busyMs / slotMs,
    meanQueue: (queuedMs / slotMs) * settings.slots,
    refusedShare: refused / calls,
    limit,
  }));
}

interface Event {
  atMs: number;
  order: number;
  happen: () => void;
}

/** What is going to happen, earliest first: a binary heap. */
function createEvents() {
  const heap: Event[] = [];
  let order = 0;
  const isBefore = (a: Event, b: Event): boolean =>
    a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
  const swap = (a: number, b: number): void => {
    [heap[a], heap[b]] = [heap[b]!, heap[a]!];
  };
  return {
    add: (atMs: number, happen: () => void): void => {
      heap.push({ atMs, order: order++, happen });
      for (let at = heap.length - 1; at > 0;) {
        const parent = (at - 1) >> 1;
        if (!isBefore(heap[at]!, heap[parent]!)) break;
        swap(at, parent);
        at = parent;
      }
    },
    next: (): Event => {
      const first = heap[0]!;
      const last = heap.pop()!;
      if (heap.length > 0) {
        heap[0] = last;
        for (let at = 0; ;) {
          const left = 2 * at + 1;
          if (left >= heap.length) break;
          const right = left + 1;
          const child = right < heap.length && isBefore(heap[right]!, heap[left]!) ? right : left;
          if (!isBefore(heap[child]!, heap[at]!)) break;
          swap(at, child);
          at = child;
        }
      }
      return first;
    },
  };
}
