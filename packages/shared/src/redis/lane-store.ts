import {
  laneBudgetSchema,
  type Lane,
  type LaneBudget,
  type LanePauseReason,
  type LaneState,
} from '../lane/index.ts';
import type { RedisConnection } from './connect.ts';
import type { Keys } from './keys.ts';
import type { RunScript } from './scripts.ts';

/** Backoff of a lane whose provider refuses a call without saying for how long. */
const COOLING = { longestMs: 24 * 3600 * 1000, baseMs: 1000, capMs: 60_000 };
/** A paused lane is tried first after 5 s, then at doubling distances up to a minute. */
const PROBE = { firstMs: 5000, longestMs: 60_000, holdMs: 30_000 };
const LOGGED_MS = 7 * 24 * 3600 * 1000;
const BUCKET_MS = 10_000;
const BUCKETS_PER_MINUTE = 6;

export type LaneStore = ReturnType<typeof createLaneStore>;

export interface LaneCalls {
  calls: number;
  refused: number;
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
    name: 'cool-lane' | 'pause-lane' | 'open-lane',
    laneId: string,
    args: (string | number)[],
  ): Promise<LaneState> =>
    parseState(await run(name, [keys.lane(laneId).state], [laneId, keys.channels.lanes, ...args]));

  return {
    /**
     * Makes the lane known to all workers; remembered for a while, since after a flush of Redis it must be said again.
     * `too_many`: the fleet serves as many different lanes as it is allowed.
     */
    register: async (lane: Lane): Promise<'known' | 'too_many'> => {
      const now = performance.now();
      if ((known.get(lane.id) ?? -Infinity) > now - 5000) return 'known';
      const { id, ...descriptor } = lane;
      const [kind] = (await run(
        'register-lane',
        [keys.lanes],
        [id, JSON.stringify(descriptor), maxLanes, keys.channels.lanes],
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

    state: async (laneId: string): Promise<LaneState> =>
      parseState(await run('read-lane', [keys.lane(laneId).state], [])),

    /** What the fleet believes of the provider's limits; null while nobody has called. */
    budget: async (laneId: string): Promise<LaneBudget | null> => {
      const text = await redis.get(keys.lane(laneId).budget);
      return text === null ? null : laneBudgetSchema.parse(JSON.parse(text));
    },

    /** After a 429: everyone waits as long as the provider says, or a growing jittered while if it does not say. */
    cool: async (laneId: string, retryAfterMs: number | null, random: number): Promise<LaneState> =>
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
    ): Promise<LaneState> =>
      change('pause-lane', laneId, [
        'provider',
        reason,
        message,
        PROBE.firstMs,
        PROBE.longestMs,
        wasProbe ? '1' : '0',
      ]),

    pauseForOperator: async (laneId: string): Promise<LaneState> =>
      change('pause-lane', laneId, [
        'operator',
        'operator',
        'paused by an operator',
        PROBE.firstMs,
        PROBE.longestMs,
        '0',
      ]),

    resumeForOperator: async (laneId: string): Promise<LaneState> =>
      change('open-lane', laneId, ['operator']),

    openAfterProbe: async (laneId: string): Promise<LaneState> =>
      change('open-lane', laneId, ['probe']),

    takeProbe: async (laneId: string): Promise<boolean> =>
      (await run('take-probe', [keys.lane(laneId).state], [PROBE.holdMs])) === 1,

    /**
     * Puts on record what the log says of the lane, null when it says that the lane is called again. Resolves to what stood
     * there: of the processes that see a change, the first finds the old one and logs.
     */
    swapLogged: async (laneId: string, reason: string | null): Promise<string | null> => {
      const key = keys.lane(laneId).logged;
      return reason === null ? redis.getdel(key) : redis.set(key, reason, 'PX', LOGGED_MS, 'GET');
    },

    /** Adds calls made and refused by this process; kept for the minute that GET /v1/lanes tells of. */
    addCalls: async (
      laneId: string,
      nowMs: number,
      { calls, refused }: LaneCalls,
    ): Promise<void> => {
      const key = keys.lane(laneId).calls(Math.floor(nowMs / BUCKET_MS));
      await redis.hincrby(key, 'calls', calls);
      if (refused > 0) await redis.hincrby(key, 'refused', refused);
      await redis.pexpire(key, BUCKET_MS * (BUCKETS_PER_MINUTE + 2));
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
  };
}

function parseState(reply: unknown): LaneState {
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
  const [openSince, failures, lastError, trialAt] = breaker;
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
  };
}
