import type { Priority } from '../job/index.ts';
import type { Keys } from './keys.ts';
import type { RunScript } from './scripts.ts';

/** What the provider's headers said of one of its limits. `rate`: units per millisecond; the others: units. */
export interface LimitNews {
  limit: number;
  rate: number;
  capacity: number;
  remaining: number;
}

/** Where a call stood in its epoch's order, and what had been reserved shortly before it. */
export interface CallStamp {
  epoch: string;
  /** From 1; 0 for a call without a reservation. */
  seq: number;
  guard: { requests: number; tokens: number };
}

/** What one worker tells and asks; all counts are since its last turn. */
export interface PaceTurn {
  worker: string;
  /** Of this worker's turns, from 1: one that is sent twice tells its counts once. */
  number: number;
  in_flight: number;
  /** Jobs in hand that are not called yet. */
  waiting: number;
  /** Calls made, and answers had. */
  called: number;
  answered: number;
  done: { calls: number; ms: number; output: number; overloaded: number; refused: number };
  /** Reservations that were not used. */
  returned?: { epoch: string; requests: number; tokens: number };
  /** Tokens used beyond what was reserved, where no header tells what remains. */
  exceeded: number;
  /** The headers of the newest call that has been answered. `sent_at`: on Redis' clock. */
  news?: CallStamp & { sent_at: number; requests?: LimitNews; tokens?: LimitNews };
  /** The newest refused call that came without headers. */
  refused?: { epoch: string; seq: number };
  /** From 0 up to 1. */
  random: number;
  /** Per minute, as configured. */
  limits: { requests?: number; tokens?: number };
  /** Reservations asked for: priority, tokens. */
  wanted: [Priority, number][];
  /** Set when this worker would look after the lane's concurrency; `concurrency`: what it decided. */
  governor?: true;
  concurrency?: { limit: number; state: string };
  leaving?: true;
  /** Calls in flight that a lane without limits may have until somebody looks after it. */
  first_concurrency: number;
}

export interface PaceReply {
  nowMs: number;
  epoch: string;
  /** Calls need reservations. */
  limited: boolean;
  /** Nobody has been answered yet. */
  cold: boolean;
  /** In the order asked for; null: not now. Empty when the lane is not limited. */
  grants: ({ dateMs: number; stamp: CallStamp } | null)[];
  /** When to ask again for what was not granted, by priority. */
  comesAgainMs: Partial<Record<Priority, number>>;
  workers: number;
  inFlight: number;
  /** Calls in flight that this worker may have; null without a limit. */
  share: number | null;
  concurrency: number | null;
  /** What the limits allow the whole fleet. */
  callsPerMs: number | null;
  requestsPerMinute: number | null;
  tokensPerMinute: number | null;
  governs: { state: string | null; done: PaceTurn['done'] } | null;
}

/** Kept over two days: a limit per day must not be forgotten over a quiet one. */
const KEPT_MS = 2 * 86_400_000;

export type BudgetStore = ReturnType<typeof createBudgetStore>;

/** The budgets of the lanes, see lua/pace-lane.lua. */
export function createBudgetStore({ run, keys }: { run: RunScript; keys: Keys }) {
  return {
    pace: async (laneId: string, turn: PaceTurn): Promise<PaceReply> => {
      const { budget, state } = keys.lane(laneId);
      const text = JSON.stringify({ ...turn, channel: keys.channels.lanes, lane: laneId });
      return parseReply(
        JSON.parse((await run('pace-lane', [budget, state], [text, KEPT_MS])) as string),
      );
    },
  };
}

interface RawReply {
  now: number;
  epoch: string;
  limited: boolean;
  cold: boolean;
  /** cjson writes an empty list as an empty object. */
  grants: ([number, number, number, number] | false)[] | Record<string, never>;
  comes_again: Partial<Record<Priority, number>>;
  workers: number;
  in_flight: number;
  share?: number;
  concurrency?: number;
  calls_per_ms?: number;
  requests_per_minute?: number;
  tokens_per_minute?: number;
  governs: boolean;
  governor_state?: string;
  done?: PaceTurn['done'];
}

function parseReply(raw: RawReply): PaceReply {
  return {
    nowMs: raw.now,
    epoch: raw.epoch,
    limited: raw.limited,
    cold: raw.cold,
    grants: Array.isArray(raw.grants)
      ? raw.grants.map((grant) => {
          if (grant === false) return null;
          const [dateMs, seq, requests, tokens] = grant;
          return { dateMs, stamp: { epoch: raw.epoch, seq, guard: { requests, tokens } } };
        })
      : [],
    comesAgainMs: raw.comes_again,
    workers: raw.workers,
    inFlight: raw.in_flight,
    share: raw.share ?? null,
    concurrency: raw.concurrency ?? null,
    callsPerMs: raw.calls_per_ms ?? null,
    requestsPerMinute: raw.requests_per_minute ?? null,
    tokensPerMinute: raw.tokens_per_minute ?? null,
    governs:
      raw.governs && raw.done !== undefined
        ? { state: raw.governor_state ?? null, done: raw.done }
        : null,
  };
}
