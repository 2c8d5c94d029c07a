import { priorities, type Endpoint } from '../job/index.ts';
import {
  laneBudgetSchema,
  parseHistory,
  STRETCH_MS,
  type AnswerLengths,
  type Lane,
  type LaneBudget,
  type LaneHistory,
  type LanePauseReason,
  type LaneSnapshot,
} from '../lane/index.ts';
import type { RedisConnection } from './connect.ts';
import type { Keys } from './keys.ts';
import type { RunScript } from './scripts.ts';

/** Backoff of a lane whose provider refuses a call without saying for how long. */
const COOLING = { longestMs: 24 * 3600 * 1000, baseMs: 1000, capMs: 60_000 };
/** A paused lane is tried first after 5 s, then at doubling distances up to a minute. */
const PROBE = { firstMs: 5000, longestMs: 60_000, holdMs: 30_000 };
/** The delay between trials of an unreachable lane grows with the outage. */
const TRIAL = { firstMs: 1000, longestMs: 60_000 };
const LOGGED_MS = 7 * 24 * 3600 * 1000;
const BUCKET_MS = 10_000;
const BUCKETS_PER_MINUTE = 6;
/** Old data fades: answer lengths after about 2,000 more answers, throughput after ten minutes of work. */
const HISTORY = { mostAnswers: 2000, mostStretches: 60, keepMs: 30 * 86_400_000 };

export type LaneStore = ReturnType<typeof createLaneStore>;

export interface LaneCalls {
  calls: number;
  refused: number;
}

/** Times of a call that came back, unix ms on Redis' clock, and how long it took. */
export interface CallTimes {
  sentAtMs: number;
  endedAtMs: number;
  tookMs: number;
}

/** What a worker observed of a lane since its last report. */
export interface LaneNote {
  /** Number of jobs that the provider completed or rejected. */
  results: number;
  /** Lengths of successful answers. */
  lengths: ReadonlyMap<Endpoint, AnswerLengths>;
}

export function createLaneStore({
  redis,
  run,
  keys,
  maxLanes,
}: {
  redis: RedisConnection;
  run: RunScript;
  keys: Keys;
  maxLanes: number;
}) {
  const known = new Map<string, number>();
  const change = async (
    name: 'cool-lane' | 'pause-lane' | 'open-lane' | 'answer-lane',
    laneId: string,
    args: (string | number)[],
  ): Promise<LaneSnapshot> =>
    parseState(await run(name, [keys.lane(laneId).state], [laneId, keys.channels.lanes, ...args]));

  return {
    /**
     * Makes the lane known to all workers; remembered for a while, since after a flush of Redis it must be said again.
     * `too_many`: the fleet serves as many different lanes as it is allowed. While Redis is full, only accepted work gets new lanes.
     */
    register: async (lane: Lane, isForAccepted = false): Promise<'known' | 'too_many'> => {
      const now = performance.now();
      if ((known.get(lane.id) ?? -Infinity) > now - 5000) return 'known';
      const { id, ...descriptor } = lane;
      const [kind] = (await run(
        'register-lane',
        [keys.lanes],
        [
          ...[id, JSON.stringify(descriptor), maxLanes, keys.channels.lanes],
          isForAccepted ? '1' : '0',
        ],
      )) as string[];
      if (kind === 'too_many') return 'too_many';
      known.set(id, now);
      return 'known';
    },

    all: async (): Promise<Lane[]> => {
      const descriptors = await redis.hgetall(keys.lanes);
      return Object.entries(descriptors).map(([id, text]) => ({
        id,
        ...(JSON.parse(text) as Omit<Lane, 'id'>),
      }));
    },

    find: async (id: string): Promise<Lane | null> => {
      const text = await redis.hget(keys.lanes, id);
      return text === null ? null : { id, ...(JSON.parse(text) as Omit<Lane, 'id'>) };
    },

    state: async (laneId: string): Promise<LaneSnapshot> =>
      parseState(await run('read-lane', [keys.lane(laneId).state], [])),

    /** What the fleet believes of the provider's limits; null while nobody has called. */
    budget: async (laneId: string): Promise<LaneBudget | null> => {
      const text = await redis.get(keys.lane(laneId).budget);
      return text === null ? null : laneBudgetSchema.parse(JSON.parse(text));
    },

    /** After a 429: everyone waits as long as the provider says, or a growing jittered while if it does not say. */
    cool: async (
      laneId: string,
      retryAfterMs: number | null,
      random: number,
    ): Promise<LaneSnapshot> =>
      change('cool-lane', laneId, [
        retryAfterMs ?? '',
        COOLING.longestMs,
        random,
        COOLING.baseMs,
        COOLING.capMs,
      ]),

    /** After a 401, a 403 or an exhausted quota. `wasProbe`: the caller held the probe; the next comes later. */
    pauseForProvider: async (
      laneId: string,
      reason: LanePauseReason,
      message: string,
      wasProbe: boolean,
      jobId = '',
    ): Promise<LaneSnapshot> =>
      change('pause-lane', laneId, [
        'provider',
        reason,
        message,
        PROBE.firstMs,
        PROBE.longestMs,
        wasProbe ? '1' : '0',
        jobId,
      ]),

    pauseForOperator: async (laneId: string): Promise<LaneSnapshot> =>
      change('pause-lane', laneId, [
        'operator',
        'operator',
        'paused by an operator',
        PROBE.firstMs,
        PROBE.longestMs,
        '0',
        '',
      ]),

    resumeForOperator: async (laneId: string): Promise<LaneSnapshot> =>
      change('open-lane', laneId, ['operator']),

    openAfterProbe: async (laneId: string): Promise<LaneSnapshot> =>
      change('open-lane', laneId, ['probe']),

    /** `holdMs`: how long this worker holds the probe; if it dies, another may take it after that. */
    takeProbe: async (laneId: string, holdMs: number = PROBE.holdMs): Promise<boolean> =>
      (await run('take-probe', [keys.lane(laneId).state], [Math.ceil(holdMs)])) === 1,

    /**
     * Records a failed call, or silence. `opensAfter` consecutive failures open the breaker; see fail-lane.lua. Resolves to the
     * number of the run that the failure belongs to, or 0.
     */
    fail: async (
      laneId: string,
      failure: {
        kind: 'call' | 'trial' | 'known' | 'silence';
        message: string;
        opensAfter: number;
        random: number;
        lastSuccess: CallTimes | null;
      },
    ): Promise<{ run: number; snapshot: LaneSnapshot }> => {
      const { kind, message, opensAfter, random, lastSuccess } = failure;
      const [runNumber, ...state] = (await run(
        'fail-lane',
        [keys.lane(laneId).state],
        [
          ...[laneId, keys.channels.lanes, message, kind, opensAfter, random],
          ...[TRIAL.firstMs, TRIAL.longestMs],
          ...timesOf(lastSuccess),
        ],
      )) as string[];
      return { run: Number(runNumber), snapshot: parseState(state) };
    },

    /** Records an answer: `success` is a result, `answer` a refusal, `trial` either of them to the trial call. */
    answer: async (
      laneId: string,
      kind: 'success' | 'answer' | 'trial',
      times: CallTimes,
    ): Promise<LaneSnapshot> => change('answer-lane', laneId, [kind, ...timesOf(times)]),

    /**
     * Records the logged reason why the lane is held up, null when it no longer is. Resolves to the previous reason: only the first
     * process to record a change gets it, so only that process logs.
     */
    swapLogged: async (laneId: string, reason: string | null): Promise<string | null> => {
      const before = await run(
        'swap-logged',
        [keys.lane(laneId).logged],
        [reason ?? '', LOGGED_MS],
      );
      return String(before) || null;
    },

    /** Adds calls made and refused by this process; kept for the minute that GET /v1/lanes tells of. */
    addCalls: async (
      laneId: string,
      nowMs: number,
      { calls, refused }: LaneCalls,
    ): Promise<void> => {
      const key = keys.lane(laneId).calls(Math.floor(nowMs / BUCKET_MS));
      await run('add-calls', [key], [calls, refused, BUCKET_MS * (BUCKETS_PER_MINUTE + 2)]);
    },

    callsLastMinute: async (laneId: string, nowMs: number): Promise<LaneCalls> => {
      const last = Math.floor(nowMs / BUCKET_MS);
      const buckets = await Promise.all(
        Array.from({ length: BUCKETS_PER_MINUTE + 1 }, async (_, back) =>
          redis.hmget(keys.lane(laneId).calls(last - back), 'calls', 'refused'),
        ),
      );
      const sum = (at: 0 | 1): number =>
        buckets.reduce((total, bucket) => total + Number(bucket[at] ?? 0), 0);
      return { calls: sum(0), refused: sum(1) };
    },

    /** Adds to the lane's history, from which dry runs estimate. */
    note: async (laneId: string, nowMs: number, { results, lengths }: LaneNote): Promise<void> => {
      const lane = keys.lane(laneId);
      const { mostAnswers, mostStretches, keepMs } = HISTORY;
      await run(
        'note-lane',
        [lane.history, ...priorities.map(lane.waiting), ...priorities.map(lane.prioritized)],
        [
          ...[nowMs, results, JSON.stringify(Object.fromEntries(lengths))],
          ...[mostAnswers, STRETCH_MS, mostStretches, keepMs],
        ],
      );
    },

    history: async (laneId: string): Promise<LaneHistory> =>
      parseHistory(await redis.hgetall(keys.lane(laneId).history)),
  };
}

function timesOf(times: CallTimes | null): number[] {
  const { endedAtMs = 0, sentAtMs = 0, tookMs = 0 } = times ?? {};
  return [endedAtMs, sentAtMs, tookMs].map(Math.round);
}

function parseState(reply: unknown): LaneSnapshot {
  const [
    now,
    coolingUntil,
    operatorPaused,
    pausedReason,
    pausedMessage,
    probeAt,
    ,
    lastRefusedAt,
    ...breaker
  ] = reply as string[];
  const [openSince, failures, lastError, trialAt, runSince, openedRuns] = breaker;
  const [succeededAt, succeededSentAt, slowMs, refusedJob] = breaker.slice(6);
  const instant = (value: string | undefined): number | null => (value ? Number(value) : null);
  return {
    nowMs: Number(now),
    coolingUntilMs: instant(coolingUntil),
    operatorPaused: operatorPaused === '1',
    paused: pausedReason
      ? {
          reason: pausedReason as LanePauseReason,
          message: pausedMessage ?? '',
          probeAtMs: Number(probeAt),
        }
      : null,
    unreachable: openSince
      ? {
          sinceMs: Number(openSince),
          failures: Number(failures),
          message: lastError ?? '',
          trialAtMs: Number(trialAt),
        }
      : null,
    lastRefusedAtMs: instant(lastRefusedAt),
    health: {
      isFailing: runSince !== '',
      openedRuns: openedRuns || ',',
      succeededAtMs: Number(succeededAt),
      succeededSentAtMs: Number(succeededSentAt),
      slowMs: Number(slowMs),
      refusedJob: refusedJob || null,
    },
  };
}
